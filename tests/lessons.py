"""The pages of the docs: their code, their commands, and what they show of them."""

import importlib.util
import re
from pathlib import Path
from typing import Any

from etude.lessons.pages import FOLDER, pages
from places import ROOT

LESSONS = pages("en")
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(FOLDER.glob("*.md"))]
spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
assert spec is not None
assert spec.loader is not None
make: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: Path) -> list[str]:
    """Every `etude …` in the code blocks of a page, comments left out."""
    blocks = re.findall(r"```(?:\w*)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("etude ")]


def sessions(page: Path) -> list[tuple[str, list[str]]]:
    """Every `$ etude …` in the code blocks of a page, with the lines that are shown below it; … stands for what is left out."""
    blocks = re.findall(r"```\n\$ (etude .*?)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [(line, [text.rstrip() for text in lines.splitlines() if text.strip() not in ("", "…")]) for line, lines in blocks]
    return [(line, lines) for line, lines in shown if not line.startswith("etude practice")]  # whose walk has a test of its own


NAMED = list(dict.fromkeys(line for page in LESSONS for line in commands(page)))
