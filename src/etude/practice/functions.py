"""Judges a learner's function of numbers: called on every case, its values tell the solution from each mistake."""

import itertools
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from etude.practice.exercises import Exercise, Language
from etude.practice.merge import merged
from etude.practice.raised import explained
from etude.practice.words import Diagnosis, say


def judged(exercise: Exercise, function: Callable[..., Any], file: Path, language: Language) -> list[Diagnosis]:
    """What is wrong with the learner's function; nothing where it is right."""
    name = exercise.callables[0]
    expected = values_of(source_of(exercise.solution), name, exercise)
    values = []
    for case in exercise.cases:
        try:
            values.append(function(*case.arguments))
        except (Exception, SystemExit) as error:
            return [explained(error, file, language)]
    whole = [whole_number(value) for value in values]
    if whole == expected:
        return []
    if made := mistakes_made(exercise, whole):
        return [Diagnosis(id_, exercise.mistakes[id_][language]) for id_ in made]
    at = next(at for at, value in enumerate(whole) if value != expected[at])
    call = f"{name}({', '.join(map(repr, exercise.cases[at].arguments))})"
    key = "not_whole" if whole[at] is None else "value"
    return [Diagnosis(key, say(language, key, call=call, have=repr(values[at]), want=expected[at]))]


def mistakes_made(exercise: Exercise, whole: Sequence[int | None]) -> list[str]:
    """The mistake, or the two, that give just these values."""
    solution = source_of(exercise.solution)
    sources = {id_: source_of(exercise.mistake(id_)) for id_ in exercise.mistakes}
    for id_, source in sources.items():
        if values_of(source, exercise.callables[0], exercise) == whole:
            return [id_]
    for one, other in itertools.combinations(sources, 2):
        both = merged(solution, sources[one], sources[other])
        if both is not None and values_of(both, exercise.callables[0], exercise) == whole:
            return [one, other]
    return []


def values_of(source: str, name: str, exercise: Exercise) -> list[int | None]:
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), vars(module))
    return [whole_number(getattr(module, name)(*case.arguments)) for case in exercise.cases]


def whole_number(value: Any) -> int | None:
    """A whole number of whatever type; None for everything else, 1.0 and True included."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def source_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")
