"""A training in a real browser: started, seen to grow, found again when the studio was killed, stopped, and continued."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")
pytest.importorskip("playwright", reason="a browser is driven by playwright")

from playwright.sync_api import Page, expect

from browser import chromium, executable, wider_than_its_window
from etude.studio.background import Background

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
PATIENCE = 120_000  # milliseconds, on a machine where others compute


def opened(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """A studio and its address."""
    command = [sys.executable, "-m", "etude", "studio", str(folder), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, next(word for line in process.stdout for word in line.split() if word.startswith("http://"))


@pytest.fixture
def page() -> Iterator[Page]:
    """Whose console must stay empty."""
    complaints = list[str]()
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert not complaints


def step(page: Page) -> int:
    """At which the page says that the run is."""
    found = re.search(r"step ([\d,]+) of", page.locator(".status").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def grown(page: Page, beyond: int) -> int:
    """The step, once the page has gone beyond that one by itself."""
    page.wait_for_function(
        "beyond => Number((document.querySelector('.status')?.textContent.match(/step ([\\d,]+)/)?.[1] ?? '0').replace(',', '')) > beyond",
        arg=beyond,
        timeout=PATIENCE,
    )
    return step(page)


def test_a_click_is_not_lost_where_rows_come_meanwhile(tmp_path: Path, page: Page) -> None:
    studio, address = opened(tmp_path)
    try:
        page.goto(address)
        answers = iter(range(1000))
        rows = "<a href='/en/lessons/'>a run</a>, looked at for the {}th time"
        page.route("**/training/list", lambda route: route.fulfill(json={"html": rows.format(next(answers))}))
        page.goto(f"{address.partition('?')[0]}en/training/")
        page.get_by_role("link", name="a run").hover()
        page.mouse.down()
        with page.expect_response("**/training/list"):
            pass
        page.wait_for_timeout(200)
        page.mouse.up()
        page.wait_for_url("**/en/lessons/")
    finally:
        page.goto("about:blank")
        studio.kill()
        studio.communicate()


def test_a_training_from_its_start(tmp_path: Path, page: Page) -> None:
    studio, address = opened(tmp_path)
    behind = Background.of(tmp_path / "runs")
    try:
        page.goto(address)
        page.goto(f"{address.partition('?')[0]}en/training/?budget=paper")
        page.get_by_label("Data").first.select_option("strokes")
        expect(page.locator("#new code")).to_have_text("etude train lecture_residual.lecture --budget paper --seed 0 --data strokes")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/training/run?*")
        seen = grown(page, grown(page, 0))
        assert page.locator("svg.accuracy path.training").count() == 1
        before = behind.running()

        page.goto("about:blank")
        studio.kill()
        studio.communicate()
        studio, address = opened(tmp_path)
        page.goto(address)
        page.goto(f"{address.partition('?')[0]}en/training/")
        page.get_by_role("link", name="etude train").click()
        seen = grown(page, seen)
        assert behind.running() == before, "the same process"

        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Go on").wait_for()
        assert behind.running() is None
        seen = step(page) or grown(page, 0)
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Stop").wait_for()
        grown(page, seen)
        assert not wider_than_its_window(page)

        page.goto("about:blank")
        studio.send_signal(signal.SIGINT)
        said = studio.communicate(timeout=60)[0]
        assert "Still running: etude train --resume runs/lecture_residual.lecture/paper/seed-0" in said
        assert behind.running() is not None
    finally:
        studio.kill()
        studio.communicate()
        if task := behind.running():
            os.kill(task.process, signal.SIGKILL)
