"""Judges a learner's block or network: right, one of the known mistakes or two of them, or else what differs first."""

import io
import itertools
import tokenize
import traceback
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from etude.explain.findings import Finding
from etude.explain.raised import explained
from etude.practice.answers import IMAGES, Answer, NoAnswer, Raised, size
from etude.practice.candidates import Candidate, Difference, Held, held, raises_alike
from etude.practice.chance import differences, slope_differs
from etude.practice.departure import Departure
from etude.practice.exercises import Exercise
from etude.practice.judgement import Judgement
from etude.practice.kinds import beyond
from etude.practice.sources import loaded, merged
from etude.source import code_only
from etude.targets.opening import part_of
from etude.verification.align import align

Named = tuple[str, ...]  # a mistake, or two
JOINS = ("cat_sizes", "sizes_meet")  # what is raised where branches come together


def judged(exercise: Exercise, make: Callable[..., Any], file: Path, name: str) -> Judgement:
    """What is wrong with the learner's module; how it was made is said where that was with arguments.

    name  of the class or function that makes it, in that file
    """
    judge = Judge(exercise, make, file, name)
    found = judge.findings()
    arguments = exercise.cases[judge.at].arguments
    made = f"{name}({', '.join(map(repr, arguments))})" if arguments and not judge.ruled else ""
    return Judgement(found, judge.first, made)


class Judge:
    def __init__(self, exercise: Exercise, make: Callable[..., Any], file: Path, name: str) -> None:
        self.exercise, self.make, self.file, self.name = exercise, make, file, name
        self.at = 0  # the case that is spoken of
        self.ruled = False  # whether the function is right in all of them
        self.first = True  # whether what is found need not be all
        self.known: dict[tuple[str, int], Candidate] = {}
        self.solution, self.mistakes = exercise.reference_source, exercise.sources

    def findings(self) -> list[Finding]:
        answers: list[Answer] = []
        for case in self.exercise.cases:
            self.at = len(answers)
            try:
                answers.append(Answer(self.make, case, self.file))
            except NoAnswer as error:
                return [error.finding]
            except Raised as error:
                return self.loud(error)
        if any(answer.chance for answer in answers):
            return self.drawn(answers)
        right = [held(answer, self.candidate("solution", self.solution, at), search=True) for at, answer in enumerate(answers)]
        if all(one.same for one in right):
            return self.rules(answers[0])
        self.at = next(at for at, one in enumerate(right) if not one.same)
        line = self.line(answers[self.at], right[self.at])
        if made := self.mistakes_made(answers, right):
            self.first = False
            return [replace(finding, line=finding.line or line) for finding in made]
        return list(self.unknown(answers[self.at], right[self.at].difference))

    def candidate(self, id_: str, source: str, at: int) -> Candidate:
        """The solution, a mistake or a pair, in one case."""
        if (id_, at) not in self.known:
            fixed = None if id_ == "solution" else self.candidate("solution", self.solution, at).fixed
            make = getattr(loaded(source, id_), self.exercise.callables[0])
            self.known[id_, at] = Candidate(make, self.exercise.cases[at], fixed)
        return self.known[id_, at]

    # ── Known mistakes ───────────────────────────────────────────────────────────────────────────────────────────────

    def loud(self, error: Raised) -> list[Finding]:
        """Of what was raised in a case: the mistake that raises the same, and what happened in the learner's own lines.

        Where sizes do not meet, the cause stands above: at the first operator that is not the solution's.
        """
        explanation = merged_batch(error.error, explained(error.error, self.file))
        candidates = {id_: self.candidate(id_, source, self.at) for id_, source in self.mistakes.items()}
        alike = [id_ for id_, candidate in candidates.items() if explanation.key != "todo" and raises_alike(error, candidate)]
        made = max(alike, key=lambda id_: candidates[id_].detail, default=None)
        departure = self.departure_before(error) if explanation.key in JOINS else None
        if made:
            return [Finding(made, line=departure.line if departure else explanation.line), explanation]
        return [explanation, departure.finding()] if departure else [explanation]

    def departure_before(self, error: Raised) -> Departure | None:
        """Where a run that raised something had left the solution, if by an operator at a line of the learner's."""
        solution = self.candidate("solution", self.solution, self.at)
        if error.before is None:
            return None
        found = align(solution.training.steps, error.before.trace, error.before.module)
        departure = Departure(solution, error.before, Difference("operator", found))
        return departure if departure.line else None

    def mistakes_made(self, answers: Sequence[Answer], right: Sequence[Held]) -> list[Finding]:
        """The mistake that the answer equals in all cases, or two of them, with what stands beside.

        Two are tried only where one of them explains the first difference, so that the answer comes nearer to it than to the solution.
        """
        sized = [id_ for id_, source in self.mistakes.items() if self.candidate(id_, source, 0).sized_like(answers[0])]
        found: dict[str, list[Held]] = {}
        for ids in (sized, [id_ for id_ in self.mistakes if id_ not in sized]):
            found |= {id_: one for id_ in ids if (one := self.holds(answers, id_, self.mistakes[id_])) is not None}
            if alike := [id_ for id_ in ids if id_ in found and all(one.same for one in found[id_])]:
                return [Finding(max(alike, key=lambda id_: self.known[id_, 0].detail))]
            if ids is sized and all(one.difference is None for one in right):
                return beside(right)
        alike = [id_ for id_, one in found.items() if all(held.difference is None for held in one)]
        nearer = {id_ for id_, one in found.items() if any(map(is_nearer, one, right))}
        known: list[tuple[Named, list[Held]]] = [((id_,), found[id_]) for id_ in alike]
        known += self.pairs(answers, list(found), nearer, sized=bool(alike))
        made, one = min(known, key=lambda pair: len(beside(pair[1])), default=((), list[Held]()))
        return [*map(Finding, made), *beside(one)]

    def pairs(self, answers: Sequence[Answer], ids: Sequence[str], nearer: Set[str], *, sized: bool) -> Iterator[tuple[Named, list[Held]]]:
        """Two of the mistakes that make the answer's function, one of them nearer to it; with `sized` only such as have its parameters.

        The first that has nothing beside is the last.
        """
        for pair in itertools.combinations(ids, 2):
            both = merged(self.solution, *(self.mistakes[id_] for id_ in pair)) if nearer & set(pair) else None
            name = " ".join(pair)
            if both is None or (sized and not self.candidate(name, both, 0).sized_like(answers[0])):
                continue
            one = self.holds(answers, name, both)
            if one is not None and all(held.difference is None for held in one):
                yield pair, one
                if not beside(one):
                    return

    def holds(self, answers: Sequence[Answer], id_: str, source: str) -> list[Held] | None:
        """The answers against a candidate, up to the first case in which they are another function; None where it raises something."""
        found: list[Held] = []
        for at, answer in enumerate(answers):
            candidate = self.candidate(id_, source, at)
            if candidate.error:
                return None
            found.append(held(answer, candidate))
            if found[-1].difference:
                return found
        return None if any(self.candidate(id_, source, at).raised for at in range(len(answers))) else found

    def raises(self, id_: str, cases: int) -> bool:
        return any(self.candidate(id_, self.mistakes[id_], at).raised for at in range(cases))

    def drawn(self, answers: Sequence[Answer]) -> list[Finding]:
        """Of answers that draw their own random numbers: nothing, the mistake that they equal, or what is known of the difference."""

        def first(id_: str, source: str) -> Finding | None:
            candidates = [self.candidate(id_, source, at) for at in range(len(answers))]
            return next((one for pair in zip(answers, candidates, strict=True) for one in differences(*pair)), None)

        different = first("solution", self.solution)
        if different is None:
            return [Finding("gradients")] if slope_differs(answers[0]) else self.rules(answers[0])
        made = next((id_ for id_, source in self.mistakes.items() if not self.raises(id_, len(answers)) and not first(id_, source)), None)
        self.first = made is None
        return [Finding(made) if made else different]

    # ── What else can be said ────────────────────────────────────────────────────────────────────────────────────────

    def rules(self, answer: Answer) -> list[Finding]:
        """What the exercise asks for beside the right function."""
        self.ruled, self.first = True, False
        found: dict[str, Finding] = {}
        for event, line in zip(answer.trace.events, answer.lines, strict=True):
            name = event.name.strip("_")
            if {event.op, name.rstrip("123d")}.intersection(self.exercise.without):
                found.setdefault(name, Finding("forbidden", {"op": name}, line))
        if self.exercise.shorter:
            start = words(part_of(self.exercise.folder / "start.py", self.exercise.callables[0]).source)
            have = words(part_of(self.file, self.name).source)
            most = int(self.exercise.shorter * start)
            if have > most:
                return [*found.values(), Finding("too_long", {"have": have, "start": start, "most": most})]
        return [*found.values()]

    def unknown(self, answer: Answer, difference: Difference | None) -> Iterator[Finding]:
        """The most telling facts about an answer that is none of the known mistakes."""
        assert difference is not None
        candidate = self.candidate("solution", self.solution, self.at)
        have, want = answer.output.shape[1:], candidate.training.steps[-1].shape
        if have != want:
            shape = answer.case.input or ()
            yield Finding("shape", {"input": size(shape), "have": size(have), "want": size(want)})
        if answer.hidden:
            yield Finding("hidden", {"names": ", ".join(answer.hidden)})
        parameters, wanted = sum(p.numel() for p in answer.module.parameters()), sum(candidate.sizes.values())
        if parameters != wanted:
            yield Finding("parameters", {"have": f"{parameters:,}", "want": f"{wanted:,}"})
        if difference.kind in ("operator", "output"):
            departure = Departure(candidate, answer, difference)
            yield departure.finding()
            yield from beyond(departure)
        else:
            yield Finding(difference.kind)

    def line(self, answer: Answer, right: Held) -> int | None:
        """Where the answer leaves the solution."""
        if right.difference is None:
            return next((finding.line for finding in right.beside if finding.line), None)
        if right.difference.kind not in ("operator", "output"):
            return None
        return Departure(self.candidate("solution", self.solution, self.at), answer, right.difference).line


def merged_batch(error: BaseException, explanation: Finding) -> Finding:
    """Where a linear layer was given rows that are no whole number to an image, that; else the explanation that there is."""
    inside = (frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__))
    given = [known.get("input") for known in inside if isinstance(known.get("self"), nn.Linear)]
    rows = next((x for x in given if isinstance(x, Tensor) and x.dim() == 2 and len(x) % IMAGES), None)
    if rows is None or explanation.key == "fixed_batch":
        return explanation
    return Finding("batch_changed", {"images": IMAGES, "have": size(rows.shape)}, explanation.line)


def beside(found: Sequence[Held]) -> list[Finding]:
    """What stands beside in the first case in which anything does."""
    return next((list(one.beside) for one in found if one.beside), [])


def is_nearer(one: Held, other: Held) -> bool:
    """Whether the first difference from a mistake comes later than that from the solution."""
    return other.difference is not None and (one.difference is None or one.difference.rank < other.difference.rank)


def words(source: str) -> int:
    """How long code is: names, numbers and signs, without comments, docstrings and line ends."""
    kinds = (tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING)
    return sum(token.type in kinds for token in tokenize.generate_tokens(io.StringIO(code_only(source)).readline))
