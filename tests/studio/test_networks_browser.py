"""The room Networks in a real browser: a network is walked through by keys and clicks; a dropped file is verified, its place marked."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="the studio's pages are walked through by playwright: pip install playwright")
pytest.importorskip("uvicorn", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from playwright.sync_api import Page, expect

from browser import chromium, executable, studio_of, wider_than_its_window

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
FILE = Path(__file__).parents[1] / "foreign" / "departs" / "lecture_residual_no_bias.py"
PATIENT = 120_000  # milliseconds, for a machine on which others compute


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page of a studio, of which nothing may be complained."""
    complaints: list[str] = []
    with studio_of(tmp_path) as address, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENT)
        expect.set_options(timeout=PATIENT)
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        yield page
    assert not complaints


def test_the_walk(page: Page, tmp_path: Path) -> None:
    room = page.url.rstrip("/").rpartition("/")[0] + "/en/networks/"
    page.goto(room)
    page.fill("#filter", "resnet34")
    expect(page.locator("tr[data-name]:visible")).to_have_count(3)
    page.click("text=resnet34 >> nth=0")
    page.wait_for_url("**/networks/resnet34*")  # loaded, its script too

    # keys, and what they choose: in the address, in the text, in the picture, in the source
    page.locator("#pane").focus()
    for key in 5 * ["ArrowDown"] + 2 * ["ArrowRight"]:
        page.keyboard.press(key)
    assert page.url.partition("#")[2].startswith("conv3_x.0:")
    expect(page.locator(".stop:visible h2")).to_have_text("conv3_x.0")
    expect(page.locator("tr.chosen td").first).to_have_text("BN")
    expect(page.locator('#pane [data-block="conv3_x.0"].chosen')).to_have_count(1)
    expect(page.locator(".passage.chosen[open] summary").last).to_contain_text("class BasicBlock")
    expect(page.locator(".line.chosen").first).to_contain_text("self.shortcut")

    # the address alone brings the same; options keep the block
    page.goto(room.replace("/en/", "/zh/") + "resnet34#conv3_x")
    expect(page.locator(".stop:visible h2")).to_have_text("conv3_x")
    page.select_option("select[name=shortcut]", "A")
    page.wait_for_url("**/resnet34?shortcut=A#conv3_x")
    page.locator("#pane [data-block='conv2_x.0'] [data-nodes]").first.click()
    assert page.url.endswith("#conv2_x.0")
    width = "document.querySelector('#pane svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.locator("#pane").hover()
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"{width} > {before} * 1.2")
    expect(page.locator(".passage").first).to_be_attached()

    # one's own
    page.goto(room)
    named = tmp_path / "it's <b>mine</b>.py".replace("/", "")
    shutil.copy(FILE, named)
    page.set_input_files("#file", named)
    page.wait_for_selector("#walk")
    page.select_option("select[name=against]", "lecture_residual")
    page.click("button.main")
    expect(page.locator("#verdict strong")).to_contain_text("It departs")
    expect(page.locator("#pane .departs").first).to_be_attached()
    page.locator("[data-go]").first.click()
    expect(page.locator("#pane .departs.here").first).to_be_attached()
    page.set_viewport_size({"width": 390, "height": 800})
    assert wider_than_its_window(page) == 0
