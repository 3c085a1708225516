"""What happens in a learner's folder while it is watched: saves, under the right name or another, and keys. No torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from etude.practice.exercises import names
from etude.practice.naming import KINDS
from etude.practice.workbook import Workbook

POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Saved:
    """The file of an exercise."""

    name: str


@dataclass(frozen=True)
class Elsewhere:
    """A file of Python that is none of an exercise."""

    file: Path


@dataclass(frozen=True)
class Pressed:
    key: str


def happenings(book: Workbook, wait: Callable[[float], str]) -> Iterator[Saved | Elsewhere | Pressed]:
    """What happens, as it does. `wait` waits so many seconds, and gives a key that was pressed meanwhile, or ""."""
    before = stamps(book)
    while True:
        if key := wait(POLL_SECONDS):
            yield Pressed(key.lower())
        now = stamps(book)
        changed = [path for path, stamp in now.items() if before.get(path) != stamp]
        before = now
        for path in sorted(changed):
            own = path.stem in names() and path == book.file(path.stem)
            yield Saved(path.stem) if own else Elsewhere(path)


def stamps(book: Workbook) -> dict[Path, tuple[int, int]]:
    """When every Python file of the folder was written last, and its size."""
    found = {}
    for path in book.folder.iterdir():
        if path.suffix in KINDS and not path.name.startswith("."):
            try:
                status = path.stat()
            except OSError:  # some editors remove a file before they write it
                continue
            found[path] = status.st_mtime_ns, status.st_size
    return found
