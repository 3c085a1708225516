"""Judges a learner's block or network: right, one of the known mistakes or two of them, or else what differs first."""

import io
import itertools
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from etude.explain.findings import Finding
from etude.explain.outline import label
from etude.explain.raised import explained
from etude.operator import Operator
from etude.practice.answers import Answer, NoAnswer, Raised, size
from etude.practice.candidates import Candidate, Difference, difference_from, raises_alike
from etude.practice.exercises import Exercise
from etude.practice.sources import loaded, merged
from etude.source import code_only
from etude.targets.opening import part_of
from etude.verification.diagnose import Diagnosis as Place
from etude.verification.trace import Event


def judged(exercise: Exercise, make: Callable[..., Any], file: Path) -> list[Finding]:
    """What is wrong with the learner's module; nothing where it is right."""
    return Judge(exercise, make, file).findings()


class Judge:
    def __init__(self, exercise: Exercise, make: Callable[..., Any], file: Path) -> None:
        self.exercise, self.make, self.file = exercise, make, file
        self.known: dict[tuple[str, int], Candidate] = {}
        self.solution, self.mistakes = exercise.reference_source, exercise.sources

    def findings(self) -> list[Finding]:
        answers: list[Answer] = []
        for case in self.exercise.cases:
            try:
                answers.append(Answer(self.make, case, self.file))
            except NoAnswer as error:
                return [error.finding]
            except Raised as error:
                return self.loud(error, len(answers))
        right = [difference_from(answer, self.candidate("solution", self.solution, at), search=True) for at, answer in enumerate(answers)]
        if not any(right):
            return self.rules(answers[0])
        at, different = next((at, difference) for at, difference in enumerate(right) if difference)
        line = self.place(answers[at], different, at)[1]
        if made := self.mistakes_made(answers, right):
            return [Finding(id_, line=line) for id_ in made]
        return list(self.unknown(answers[at], different, at))

    def candidate(self, id_: str, source: str, at: int) -> Candidate:
        """The solution, a mistake or a pair, in one case."""
        if (id_, at) not in self.known:
            fixed = None if id_ == "solution" else self.candidate("solution", self.solution, at).fixed
            make = getattr(loaded(source, id_), self.exercise.callables[0])
            self.known[id_, at] = Candidate(make, self.exercise.cases[at], fixed)
        return self.known[id_, at]

    # ── Known mistakes ───────────────────────────────────────────────────────────────────────────────────────────────

    def loud(self, error: Raised, at: int) -> list[Finding]:
        """Of what was raised in a case: the mistake that raises the same, and what happened in the learner's own lines."""
        explanation = explained(error.error, self.file)
        candidates = {id_: self.candidate(id_, source, at) for id_, source in self.mistakes.items()}
        alike = [id_ for id_, candidate in candidates.items() if explanation.key != "todo" and raises_alike(error, candidate)]
        made = max(alike, key=lambda id_: candidates[id_].detail, default=None)
        return [explanation] if made is None else [Finding(made, line=explanation.line), explanation]

    def mistakes_made(self, answers: Sequence[Answer], right: Sequence[Difference | None]) -> list[str]:
        """The mistake that the answer equals in all cases, or two of them.

        Two are tried only where one of them explains the first difference, so that the answer comes nearer to it than to the solution.
        """
        sized = {id_ for id_, source in self.mistakes.items() if self.candidate(id_, source, 0).sized_like(answers[0])}
        found = {id_: self.differences(answers, id_, source) for id_, source in self.mistakes.items() if id_ in sized}
        if alike := [id_ for id_, differences in found.items() if differences is not None and not any(differences)]:
            return [max(alike, key=lambda id_: self.known[id_, 0].detail)]
        found |= {id_: self.differences(answers, id_, source) for id_, source in self.mistakes.items() if id_ not in sized}
        silent = {id_: differences for id_ in self.mistakes if (differences := found[id_]) is not None}
        nearer = {id_ for id_, differences in silent.items() if any(map(is_nearer, differences, right))}
        for one, other in itertools.combinations(silent, 2):
            both = merged(self.solution, self.mistakes[one], self.mistakes[other]) if {one, other} & nearer else None
            if both is not None and self.differences(answers, f"{one} {other}", both) == [None] * len(answers):
                return [one, other]
        return []

    def differences(self, answers: Sequence[Answer], id_: str, source: str) -> list[Difference | None] | None:
        """From a candidate, up to the first case that differs; None where the candidate raises something."""
        differences: list[Difference | None] = []
        for at, answer in enumerate(answers):
            candidate = self.candidate(id_, source, at)
            if candidate.error:
                return None
            differences.append(difference_from(answer, candidate))
            if differences[-1]:
                return differences
        return None if any(self.candidate(id_, source, at).raised for at in range(len(answers))) else differences

    # ── What else can be said ────────────────────────────────────────────────────────────────────────────────────────

    def rules(self, answer: Answer) -> list[Finding]:
        """What the exercise asks for beside the right function."""
        for event, line in zip(answer.trace.events, answer.lines, strict=True):
            if event.op in self.exercise.without:
                return [Finding("forbidden", {"op": event.op}, line)]
        if self.exercise.shorter:
            files = (self.exercise.folder / "start.py", self.file)
            start, have = (words(part_of(file, *self.exercise.callables).source) for file in files)
            most = int(self.exercise.shorter * start)
            if have > most:
                return [Finding("too_long", {"have": have, "start": start, "most": most})]
        return []

    def unknown(self, answer: Answer, difference: Difference, at: int) -> Iterator[Finding]:
        """The most telling facts about an answer that is none of the known mistakes."""
        candidate = self.candidate("solution", self.solution, at)
        have, want = answer.output.shape[1:], candidate.training.steps[-1].shape
        if have != want:
            shape = answer.case.input or ()
            yield Finding("shape", {"input": size(shape), "have": size(have), "want": size(want)})
        if answer.hidden and difference.kind != "hidden":
            yield Finding("hidden", {"names": ", ".join(answer.hidden)})
        parameters, wanted = sum(p.numel() for p in answer.module.parameters()), sum(candidate.sizes.values())
        if parameters != wanted:
            yield Finding("parameters", {"have": f"{parameters:,}", "want": f"{wanted:,}"})
        if difference.kind in ("operator", "output"):
            yield self.first_operator(answer, difference, at)
        else:
            yield Finding(difference.kind, difference.values)

    def first_operator(self, answer: Answer, difference: Difference, at: int) -> Finding:
        """The first operator of the solution that the answer does not have, and what it has there."""
        place, line = self.place(answer, difference, at)
        if place is None:
            steps = self.candidate("solution", self.solution, at).training.steps
            ends = [event for event in answer.trace.events if event.index not in self.places(answer, difference, len(steps))]
            return Finding("output", {"have": called(ends[-1]) if ends else Finding("no_operator")}, line)
        before = [called(place.steps[index]) if index >= 0 else Finding("the_input") for index in place.step.inputs]
        here = Finding("follows", {"have": called(place.events[0])}) if place.events else Finding("computed_nowhere")
        return Finding("operator", {"before": before, "want": called(place.step), "here": here}, line)

    def places(self, answer: Answer, difference: Difference, steps: int) -> set[int]:
        """The events of the answer that made what steps of the solution gave."""
        values = (value for index in range(steps) for value in difference.found.values[index])
        return {place for value in values for place, _ in answer.trace.find(value.tensor)}

    def place(self, answer: Answer, difference: Difference, at: int) -> tuple[Place | None, int | None]:
        """Where the answer leaves the solution, and its line there."""
        run, found = self.candidate("solution", self.solution, at).training, difference.found
        if difference.kind == "output" and run.output is not None and not answer.trace.has(found.values[run.output][0].tensor):
            found = replace(found, reached=run.output)
        elif difference.kind != "operator":
            return None, None
        place = Place(run.steps, answer.trace, found, answer.module)
        line = next((answer.lines[event.index] for event in place.events if answer.lines[event.index]), None)
        return place, line


def is_nearer(difference: Difference | None, other: Difference | None) -> bool:
    """Whether the first difference from a mistake comes later than that from the solution."""
    return other is not None and (difference is None or difference.rank < other.rank)


def called(operator: Operator) -> str | Finding:
    """An operator in a few words."""
    if operator.op == "add":
        return Finding("addition")
    return f"{label(operator)} ({operator.path})" if isinstance(operator, Event) and operator.path else label(operator)


def words(source: str) -> int:
    """How long code is: names, numbers and signs, without comments, docstrings and line ends."""
    kinds = (tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING)
    return sum(token.type in kinds for token in tokenize.generate_tokens(io.StringIO(code_only(source)).readline))
