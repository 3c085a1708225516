"""The way through an exercise, as a person takes it in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")
pytest.importorskip("playwright", reason="a browser is driven by playwright")

from playwright.sync_api import Browser, Page, expect

from browser import chromium, executable, studio_of, wider_than_its_window
from etude.practice.exercises import exercise

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
SOLUTION = exercise("conv_cost").solution.read_text(encoding="utf-8")
expect.set_options(timeout=120_000)  # milliseconds, for a machine on which others compute


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """At the exercises, in an empty folder; no error in the console."""
    said: list[str] = []
    with studio_of(tmp_path) as address:
        opened = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(address)
        opened.goto(f"{address.partition('?')[0]}en/practice/")
        yield opened
        opened.context.close()
    assert not said


def write(page: Page, text: str) -> None:
    """In the place of what is in the editor."""
    page.locator(".ace_text-input").focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def shown(page: Page) -> str:
    found: str = page.evaluate("ace.edit(document.querySelector('.code')).getValue()")
    return found


def test_from_the_first_page_to_the_solution(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "practice" / "conv_cost.py"
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("link", name="What a convolution costs").click()

    # The starting file, of which the head is seen, by its key, before the process is warm; then one with a mistake, shown at its line.
    page.locator(".ace_text-input").focus()
    first, last = page.evaluate("(it => [it.getFirstVisibleRow(), it.getLastVisibleRow()])(ace.edit(document.querySelector('.code')))")
    start = exercise("conv_cost").starting_file("en").splitlines()
    assert first < start.index('"""') - 5
    assert last >= len(start) - 1
    page.keyboard.press("Control+Enter")
    expect(page.locator("#found")).to_contain_text("There is still a TODO here.")
    write(page, SOLUTION.replace("    return per_filter", "    print('here', kernel)\n    return [per_filter][1]"))
    expect(page.locator("#saved")).to_have_text("not saved")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#found")).to_contain_text("here 5")
    expect(page.locator("#saved")).to_have_text("saved")
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_count(1)
    expect(page.locator(".wrong-line")).to_have_count(1)
    line = page.locator("#found [data-line]").first
    line.click()
    row = page.evaluate("ace.edit(document.querySelector('.code')).getCursorPosition().row")
    assert line.inner_text() == f"line {row + 1}"
    assert "[1]" in file.read_text(encoding="utf-8").splitlines()[row]
    page.keyboard.type(" ")
    expect(page.locator(".wrong-line")).to_have_count(0)
    page.keyboard.press("Control+z")

    # Hints, and the same page in Chinese with the same finding.
    page.get_by_role("button", name="Show hint 1 of 3").click()
    expect(page.locator("#hints li")).to_have_text([f"Hint 1 of 3: {exercise('conv_cost').hints[0].en}"])
    expect(page.get_by_role("button", name="Show hint 2 of 3")).to_be_visible()
    page.get_by_role("link", name="中文").click()
    expect(page.locator("#found")).to_contain_text("还没有通过")
    expect(page.locator("#hints li")).to_have_text([f"提示 1/3：{exercise('conv_cost').hints[0].zh}"])
    assert wider_than_its_window(page) == 0
    page.get_by_role("link", name="English").click()

    # Written elsewhere: shown here. Written in both places: asked. Not saved and closed: offered again.
    file.write_text("elsewhere = 1\n", encoding="utf-8")
    expect(page.locator("#notice")).to_contain_text("changed elsewhere")
    assert shown(page) == "elsewhere = 1\n"
    write(page, "here = 1\n")
    file.write_text("elsewhere = 2\n", encoding="utf-8")
    expect(page.locator("#choice")).to_be_visible()
    page.reload()
    expect(page.locator("#choice")).to_be_visible()
    assert shown(page) == "here = 1\n"
    page.keyboard.press("Control+s")
    expect(page.locator("#saved")).to_have_text("not saved")
    assert file.read_text(encoding="utf-8") == "elsewhere = 2\n"
    page.get_by_role("button", name="What is here").click()
    expect(page.locator("#saved")).to_have_text("saved")
    assert file.read_text(encoding="utf-8") == "here = 1\n"

    # A check that never ends is stopped, and the next one passes.
    write(page, SOLUTION.replace("    return", "    while True: pass\n    return"))
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#stop")).to_have_text(re.compile(r"Stop · \d+ s"))
    page.locator("#stop").click()
    expect(page.locator("#trouble")).to_have_text("The check was stopped; it has found nothing.")
    write(page, SOLUTION)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#found")).to_contain_text("Passed")
    page.get_by_role("link", name="Compare with a solution").click()
    expect(page.locator(".beside section")).to_have_count(2)
    page.get_by_role("link", name="Next: The padding that keeps the size").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The padding that keeps the size")
