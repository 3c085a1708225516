"""The sources of solutions and mistakes: run, and two mistakes merged into one file."""

import difflib
import itertools
from collections.abc import Iterator, Sequence
from types import ModuleType

from etude.practice.exercises import Exercise
from etude.source import code_only

Edit = tuple[int, int, tuple[str, ...]]


def loaded(source: str, name: str) -> ModuleType:
    """A source of ours as a module."""
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), vars(module))
    return module


def wrong_answers(exercise: Exercise) -> Iterator[tuple[list[str], str]]:
    """Every known mistake, then every two of them that can be made at once: their ids and the source."""
    sources = exercise.sources
    for id_, source in sources.items():
        yield [id_], source
    for one, other in itertools.combinations(sources, 2):
        both = merged(exercise.reference_source, sources[one], sources[other])
        if both is not None:
            yield [one, other], both


def merged(solution: str, one: str, other: str) -> str | None:
    """The solution with the changes of both files. None where they change the same place, or one contains the other."""
    base, *changed = (code_only(source).splitlines() for source in (solution, one, other))
    first, second = (edits(base, lines) for lines in changed)
    both = sorted({*first, *second})
    for before, after in itertools.pairwise(both):
        if after[0] < before[1] or after[0] == before[0]:
            return None
    for start, end, lines in reversed(both):
        base[start:end] = lines
    return None if base in changed else "\n".join(base) + "\n"


def edits(base: Sequence[str], lines: Sequence[str]) -> list[Edit]:
    matcher = difflib.SequenceMatcher(None, base, lines, autojunk=False)
    return [(i1, i2, tuple(lines[j1:j2])) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"]
