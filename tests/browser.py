"""A real browser for the tests of the studio, and pictures of its pages for whoever changes them.

python tests/browser.py OUT [PATH ...]     pictures of /, /practice/ … in light and dark, on desktop and phone, in both languages
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

SIZES = {"desktop": (1280, 860), "phone": (390, 800)}
SCHEMES = ("light", "dark")


def executable() -> str | None:
    """Of a Chromium that is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"] if is_root() else [])
        yield browser
        browser.close()


def is_root() -> bool:
    """Under whom Chromium starts only without its sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextlib.contextmanager
def studio_of(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A studio in a process of its own; its address with the token. Afterwards it is ended as a person does."""
    command = [sys.executable, "-m", "etude", "studio", str(folder), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    assert process.stdout
    try:
        yield next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def wider_than_its_window(page: Page) -> int:
    """By how many pixels."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def pictures(out: Path, paths: Sequence[str]) -> None:
    """Of every page, every way; prints what a browser complains of."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, studio_of(Path(folder)) as address, chromium() as browser:
        for (size, (width, height)), scheme in itertools.product(SIZES.items(), SCHEMES):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.on("console", lambda message: print("console:", message.type, message.text))
            page.on("pageerror", lambda error: print("error:", error))
            page.goto(address)
            for language, path in itertools.product(("en", "zh"), paths):
                page.goto(f"{address.partition('?')[0]}{language}{path}", wait_until="networkidle")
                name = "-".join((path.strip("/").replace("/", "_") or "home", size, scheme, language))
                page.screenshot(path=out / f"{name}.png", full_page=True)
                if over := wider_than_its_window(page):
                    print(f"{name}: {over} pixels wider than its window")


if __name__ == "__main__":
    pictures(Path(sys.argv[1]), sys.argv[2:] or ["/"])
