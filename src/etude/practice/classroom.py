"""A class's folders: whose they are, and which file in them is for which exercise. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from etude.practice.exercises import names
from etude.practice.naming import KINDS, exercise_of


@dataclass(frozen=True)
class Handed:
    """What one learner has handed in.

    files   by exercise
    others  Python files that are for no exercise, or for one that has another file
    """

    learner: str
    files: Mapping[str, Path]
    others: tuple[Path, ...]


def handed_in(folder: Path) -> list[Handed]:
    """The learners of a class, a folder each: all that have a file of Python, in their folder or in one within it."""
    found = [Handed(one.name, *sorted_out(one)) for one in sorted(folder.iterdir()) if one.is_dir() and not is_hidden(one)]
    return [one for one in found if one.files or one.others]


def sorted_out(folder: Path) -> tuple[dict[str, Path], tuple[Path, ...]]:
    """The file for each exercise, and the rest. Named as asked comes before others, then in the folder before below; of two alike none."""
    there = list(python_in(folder))
    files: dict[str, Path] = {}
    for name in names():
        ranked = sorted(((path.name != f"{name}.py", path.parent != folder), path) for path in there if exercise_of(path) == name)
        if ranked and (len(ranked) == 1 or ranked[0][0] != ranked[1][0]):
            files[name] = ranked[0][1]
    return files, tuple(path for path in there if path not in files.values())


def python_in(folder: Path) -> Iterator[Path]:
    """What is named like a file of Python in a folder, then in the folders within it; what cannot be looked into has none."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    yield from (path for path in inside if path.suffix in KINDS and not is_hidden(path))
    for below in (path for path in inside if path.is_dir() and not is_hidden(path) and path.suffix not in KINDS):
        try:
            yield from sorted(path for path in below.iterdir() if path.suffix in KINDS and not is_hidden(path))
        except OSError:
            continue


def is_hidden(path: Path) -> bool:
    return path.name.startswith((".", "__"))
