"""The pages of the lessons: what there is, and what their commands do in a notebook. No torch."""

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from etude.practice.exercises import Language

FOLDER = Path(__file__).parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """Of a page either prose, or "python" with what it prints, or "shell" with commands, or some other lines as they are."""

    kind: str
    text: str
    output: str = ""


def pages(language: Language) -> list[Path]:
    """The seven lessons, in order."""
    return sorted(FOLDER.glob(f"[1-7]-*.{language}.md"))


def stem_of(page: Path) -> str:
    """`2-inception` of `2-inception.zh.md`."""
    return page.name.split(".")[0]


@functools.cache
def title_of(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


@functools.cache
def exercises_of(page: Path) -> tuple[str, ...]:
    """Which exercises it sends to, in order."""
    fences = (commands(piece.text) for piece in pieces(page) if piece.kind == "shell")
    return tuple(name for lines in fences for line in lines if (name := exercise_of(line)))


def pieces(page: Path) -> Iterator[Piece]:
    """A page from top to bottom."""
    text, end = page.read_text(encoding="utf-8"), 0
    for fence in FENCE.finditer(text):
        yield Piece("prose", text[end : fence.start()].strip())
        kind = "shell" if re.match(r"(\$ )?etude ", fence.group(2)) else fence.group(1)
        yield Piece(kind, fence.group(2), fence.group(3) or "")
        end = fence.end()
    yield Piece("prose", text[end:].strip())


def commands(text: str) -> list[str]:
    """The commands in a fence; of one with its output that command alone."""
    lines = text.splitlines()
    return [lines[0].removeprefix("$ ")] if text.startswith("$ ") else lines


def exercise_of(command: str) -> str | None:
    """Which exercise a command checks."""
    return command.split()[3] if command.startswith("etude practice check ") else None


def in_a_cell(command: str) -> str | None:
    """A command as Python that shows the same in its place; None where nothing can."""
    text = in_place(command)
    comment = command.partition("  #")[2].strip()
    quoted = f"'{text}'" if text and '"' in text else f'"{text}"'
    return f"etude.command({quoted})" + (f"  # {comment}" if comment else "") if text else None


def in_place(command: str) -> str | None:
    """What stands behind `etude` to be shown in its place; None for what takes long, or a file that a reader has or has not.

    Real images are drawn strokes there, so that nothing has to be downloaded.
    """
    words = command.removeprefix("etude ").partition("  #")[0].strip()
    given = shlex.split(words)
    if any(word.startswith(("--depth", "--seeds")) or ".py" in word or ".ipynb" in word for word in given):
        return None
    return words + (" --data strokes" if "--gradients" in given or given[0] == "reproduce" else "")
