"""Judges a learner's function of numbers: called on every case, its values tell the solution from each mistake."""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etude.explain.findings import Finding
from etude.explain.raised import explained
from etude.practice.exercises import Exercise
from etude.practice.judgement import Judgement
from etude.practice.sources import loaded, wrong_answers


def judged(exercise: Exercise, function: Callable[..., Any], file: Path, name: str) -> Judgement:
    """What is wrong with the learner's function of that name."""
    expected = values_of(exercise.reference_source, exercise)
    values = []
    for case in exercise.cases:
        try:
            values.append(function(*case.arguments))
        except (Exception, SystemExit) as error:
            return Judgement([explained(error, file)], first=True)
    whole = [whole_number(value) for value in values]
    if whole == expected:
        return Judgement()
    if made := next((ids for ids, source in wrong_answers(exercise) if values_of(source, exercise) == whole), None):
        return Judgement([Finding(id_) for id_ in made])
    at = next(at for at, value in enumerate(whole) if value != expected[at])
    call = f"{name}({', '.join(map(repr, exercise.cases[at].arguments))})"
    if values[at] is None:
        return Judgement([Finding("no_value", {"call": call})], first=True)
    key = "not_whole" if whole[at] is None else "value"
    return Judgement([Finding(key, {"call": call, "have": repr(values[at]), "want": expected[at]})], first=True)


def values_of(source: str, exercise: Exercise) -> list[int | None]:
    function = getattr(loaded(source, exercise.name), exercise.callables[0])
    return [whole_number(function(*case.arguments)) for case in exercise.cases]


def whole_number(value: Any) -> int | None:
    """A whole number of whatever type; None for everything else, 1.0 and True included."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
