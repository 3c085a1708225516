"""A teacher's check: every exercise of every learner, and what a class gets wrong."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from etude.cli.render import as_json, filled, table
from etude.cli.render import say as remark
from etude.errors import UsageError
from etude.practice.checker import Checked, side_by_side
from etude.practice.classroom import Handed, handed_in
from etude.practice.exercises import Language, names
from etude.practice.words import say

MARKS = {"pass": "✓", "fail": "✗", "error": "!"}
UNTOUCHED = "·"
NO_BREAK = "\N{NO-BREAK SPACE}"
FREQUENT = 10  # mistakes that the report ends with


def check_class(folder: Path, seconds: float, json_: bool, language: Language) -> int:
    """Every exercise of every learner, whose folders stand in one; and a table of them."""
    learners = handed_in(folder)
    if not learners:
        raise UsageError(f"{folder}: no folder in it has a file of an exercise, such as {folder / 'ANNA' / 'residual_block.py'}")
    results: list[tuple[Handed, list[Checked]]] = []
    outcomes = side_by_side([job for one in learners for job in one.files.items()], seconds)
    for one in learners:
        found = [next(outcomes).said(language) for _ in one.files]
        results.append((one, found))
        if not json_:
            remark(f"{one.learner} {sum(result.passed for result in found)}/{len(names())}")
    if json_:
        as_json([plain(folder, one, found) for one, found in results])
    else:
        show_class(folder, results, language)
    return 0 if all(len(found) == len(names()) and all(result.passed for result in found) for _, found in results) else 1


def plain(folder: Path, one: Handed, found: Sequence[Checked]) -> dict[str, object]:
    others = [str(path.relative_to(folder / one.learner)) for path in one.others]
    row: dict[str, object] = {"learner": one.learner, "exercises": [result.plain() for result in found]}
    return row | ({"not_recognised": others} if others else {})


def show_class(folder: Path, results: Sequence[tuple[Handed, Sequence[Checked]]], language: Language) -> None:
    """Learners × exercises with their sums, then what was wrong, what was not checked, and what is wrong most often."""
    rows = []
    for one, found in results:
        marks = {result.exercise: mark(result) for result in found}
        rows.append((one.learner, *(marks.get(name, "") for name in names()), str(list(marks.values()).count(MARKS["pass"]))))
    passed = Counter(result.exercise for _, found in results for result in found if result.passed)
    rows.append(("∑", *(str(passed[name] or "") for name in names()), str(passed.total())))
    table((say(language, "learner"), *map(str, range(1, len(names()) + 1)), "∑"), rows)
    click.echo(say(language, "legend"))
    legend = "  ".join(f"{number}{NO_BREAK}{name}" for number, name in enumerate(names(), start=1))
    click.echo(filled(legend, "").replace(NO_BREAK, " ") + "\n")
    wrong = [(one, result) for one, found in results for result in found if not result.passed and mark(result) != UNTOUCHED]
    for one, result in wrong:
        click.echo(f"{one.learner}  {result.exercise}  {', '.join(diagnosis.id for diagnosis in result.diagnoses)}")
    for path in (path for one, _ in results for path in one.others):
        click.echo(say(language, "not_recognised", file=path.relative_to(folder)))
    show_frequent([result for _, result in wrong], language)


def show_frequent(wrong: Sequence[Checked], language: Language) -> None:
    """The mistakes that several made, the most frequent first, with their messages."""
    first = {(result.exercise, one.id): one.message for result in wrong for one in reversed(result.diagnoses)}
    counts = Counter(key for result in wrong for key in {(result.exercise, one.id) for one in result.diagnoses})
    if rows := [(str(count), *key, first[key]) for key, count in counts.most_common(FREQUENT) if count > 1]:
        click.echo("\n" + say(language, "frequent"))
        table(("", *(say(language, key) for key in ("exercise", "mistake", "title"))), rows, right=(0,))


def mark(result: Checked) -> str:
    return UNTOUCHED if result.untouched else MARKS[result.status]
