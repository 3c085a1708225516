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
