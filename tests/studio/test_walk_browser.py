"""In a real browser: let in by the token, a lesson whose figure moves and whose code runs, and a digit that is drawn."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")
pytest.importorskip("playwright", reason="drives the browser: pip install playwright")

from playwright.sync_api import Browser, Page, expect

from browser import chromium, executable, studio_of, wider_than_its_window

THREE = [(0.3, 0.25), (0.45, 0.15), (0.65, 0.2), (0.68, 0.35), (0.5, 0.47), (0.68, 0.55), (0.7, 0.75), (0.5, 0.85), (0.3, 0.78)]

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium is installed here")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, str]]:
    with studio_of(tmp_path_factory.mktemp("walk")) as address, chromium() as browser:
        yield browser, address


@pytest.fixture
def page(studio: tuple[Browser, str]) -> Iterator[Page]:
    """Let in; afterwards nothing was complained of."""
    browser, address = studio
    context = browser.new_context(viewport={"width": 1280, "height": 860}, base_url="{0.scheme}://{0.netloc}".format(urlsplit(address)))
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    assert "token" not in page.url
    yield page
    assert complaints == []
    assert wider_than_its_window(page) <= 0
    context.close()


def test_without_the_token_there_is_nothing(studio: tuple[Browser, str], tmp_path: Path) -> None:
    browser, address = studio
    page = browser.new_page()
    answer = page.goto(address.partition("?")[0])
    assert answer is not None
    assert answer.status == 403
    page.close()


ADDRESSES = (
    *("", "lessons/", "lessons/2-inception/", "practice/", "practice/conv1x1", "networks/", "networks/googlenet"),
    *("digit/", "training/", "training/reproduction?name=identity_mappings&budget=laptop&seeds=5"),
)


def test_no_page_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for language, address in itertools.product(("en", "zh"), ADDRESSES):
        page.goto(f"/{language}/{address}", wait_until="domcontentloaded")
        assert wider_than_its_window(page) <= 0, page.url


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_slider_of_lesson_1(page: Page, language: str) -> None:
    page.goto(f"/{language}/lessons/1-conv1x1/")
    figure = page.locator("[data-figure=conv1x1]")
    top_left = figure.locator(".maps table").last.locator("td").first
    expect(top_left).to_have_text("2.6")  # slide 11
    figure.locator("input[type=range]").first.fill("1")
    expect(top_left).to_have_text("3.1")  # 1 · 1 + 1 · 0.3 + 9 · 0.2
    expect(figure.locator(".command code")).to_contain_text("weights=[1.0,0.3,0.2]")


def test_a_changed_code_runs(page: Page) -> None:
    page.goto("/en/lessons/1-conv1x1/")
    page.locator("[data-cell] textarea").last.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("print(6 * 7)\n1 / 0")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-cell] .output")).to_have_text("42\nline 2: ZeroDivisionError: division by zero", timeout=60_000)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_three_is_drawn_and_seen(page: Page, language: str) -> None:
    page.goto(f"/{language}/digit/?network=lecture_inception.lecture")
    box = page.locator("#drawing").bounding_box()
    assert box
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()
    expect(page.locator("#answer")).to_have_text("3", timeout=60_000)
    expect(page.locator("#junctions section")).to_have_count(2)
    expect(page.locator("#junctions canvas")).to_have_count(8)


# ── Where the studio does not answer, or too late ────────────────────────────────────────────────────────────────────

GONE = "() => { window.asked = window.fetch; window.fetch = () => Promise.reject(new TypeError()); }"
BACK = "() => { window.fetch = window.asked; }"
LATE = """() => {
  const asked = window.fetch;
  window.fetch = (...what) => new Promise((give) => {
    window.answer = async () => {
      const found = await (await asked(...what)).json();
      give({ ok: true, json: async () => found });
      await new Promise((done) => setTimeout(done, 50));
    };
  });
}"""
NO_ANSWER = {"en": "The studio does not answer", "zh": "没有响应"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_figure_says_that_the_studio_has_gone_and_goes_on(page: Page, language: str) -> None:
    page.goto(f"/{language}/lessons/1-conv1x1/")
    figure = page.locator("[data-figure=conv1x1]")
    top_left = figure.locator(".maps table").last.locator("td").first
    expect(top_left).to_have_text("2.6")
    page.evaluate(GONE)
    figure.locator("input[type=range]").first.fill("1")
    expect(figure.get_by_role("alert")).to_contain_text(NO_ANSWER[language])
    page.evaluate(BACK)
    figure.locator("input[type=range]").first.fill("0.9")
    expect(top_left).to_have_text("3")
    expect(figure.get_by_role("alert")).to_have_count(0)  # a role that is hidden is none


def test_a_measurement_that_failed_can_be_asked_for_again(page: Page) -> None:
    page.goto("/en/lessons/3-degradation/")
    figure = page.locator("[data-figure=depth]")
    button = figure.locator(".stage button")
    told = button.inner_text()
    page.evaluate(GONE)
    button.click()
    expect(figure.get_by_role("alert")).to_contain_text(NO_ANSWER["en"])
    expect(button).to_have_text(told)
    expect(button).to_be_enabled()


def test_a_button_that_failed_can_be_pressed_again(page: Page) -> None:
    page.goto("/en/networks/")
    code = b"import torch\n\nclass Net(torch.nn.Module):\n    def __init__(self):\n        raise ValueError\n"
    page.set_input_files("#file", {"name": "net.py", "mimeType": "text/x-python", "buffer": code})
    button = page.locator("[data-again]")
    button.wait_for(timeout=60_000)
    page.wait_for_load_state()  # so that the script is there too
    page.evaluate(GONE)
    button.click()
    expect(page.locator("[data-again] + [role=alert]")).to_contain_text(NO_ANSWER["en"])
    expect(button).to_be_enabled()


def test_an_answer_to_what_was_cleared_is_not_shown(page: Page) -> None:
    page.goto("/en/digit/?network=lecture_inception.lecture")
    empty = page.locator("#answer").inner_text()
    page.evaluate(LATE)
    page.locator("#drawing").click()
    page.locator("#clear").click()
    page.evaluate("window.answer()")
    expect(page.locator("#answer")).to_have_text(empty)
    expect(page.locator("#bars")).to_be_empty()
    expect(page.locator("#places")).to_be_hidden()
