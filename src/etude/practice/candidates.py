"""Holds an answer against a candidate: the solution, a known mistake, or two of them at once. Numbers decide."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from etude.practice.answers import IMAGES, Answer, Raised, Stage, one_tensor, register_hidden
from etude.practice.exercises import Case
from etude.verification.align import PARAMETRIC, Aligner, Alignment, Value, align, run_table
from etude.verification.interpret import Choice, Weights, compute
from etude.verification.replay import Replay, replayable
from etude.verification.trace import EQUAL, difference, gradients_differ, same_numbers

TRIES = 50  # assignments of weights, and parameters computed with in all of them
TRIED = 4_000_000

# in the order in which they are looked for, and worth telling; each has a message of that name
Kind = Literal["operator", "unused", "output", "gradients", "evaluation", "initial", "hidden", "alone", "overwrites"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Difference:
    """The first way in which an answer is not the candidate's function.

    found   the candidate's operators in the answer, as far as they are there
    left    how many are not
    values  for the message
    """

    kind: Kind
    found: Alignment
    left: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller where the answer comes nearer to the candidate."""
        return self.left, -KINDS.index(self.kind)


class Candidate:
    """One case of a module that an answer may be: its operators in both modes, or what it raises, and where."""

    def __init__(self, make: Callable[..., nn.Module], case: Case, fixed: dict[str, float] | None = None) -> None:
        self.unmade: Exception | None = None
        self.sizes: dict[int, int] = {}
        self.initial: dict[int, float | None] = {}
        torch.manual_seed(1)
        try:
            self.module = make(*case.arguments)
        except Exception as error:
            self.unmade = error
            return
        self.hidden = register_hidden(self.module)
        constants = {name: constant(parameter) for name, parameter in self.module.named_parameters()}
        self.names = {id(parameter): name for name, parameter in self.module.named_parameters()}
        self.sizes = {id(parameter): parameter.numel() for parameter in self.module.parameters()}
        self.initial = {id(parameter): constants[name] for name, parameter in self.module.named_parameters()}
        self.fixed = {name: value for name, value in constants.items() if value is not None} if fixed is None else fixed
        assert case.input is not None
        self.images = torch.randn(IMAGES, *case.input)

    @functools.cached_property
    def training(self) -> Replay:
        """The run in training mode."""
        return Replay() if self.unmade else self.first_run[0]

    @property
    def overwrites(self) -> bool:
        """Whether it changes its own input."""
        return self.first_run[1]

    @functools.cached_property
    def first_run(self) -> tuple[Replay, bool]:
        given = self.images.clone()
        with torch.no_grad():
            run = replayable(self.module.train(), given)
        return run, not torch.equal(given, self.images)

    @property
    def error(self) -> tuple[Stage, Exception] | None:
        """What it raises, and where, before there is a result."""
        if self.unmade:
            return "made", self.unmade
        return ("run", self.training.error) if self.training.error else None

    def sized_like(self, answer: Answer) -> bool:
        """Whether the answer has as many parameters of every size: without that it is another function."""
        return sorted(p.numel() for p in answer.module.parameters()) == sorted(self.sizes.values())

    @functools.cached_property
    def evaluated(self) -> Replay:
        """The run in eval mode."""
        with torch.no_grad():
            return replayable(self.module.eval(), self.images)

    @functools.cached_property
    def raised(self) -> tuple[Stage, Exception] | None:
        """What it raises, on the way back if not before."""
        if self.error is None:
            try:
                self.module.train()(self.images.clone().requires_grad_().clone()).square().sum().backward()
            except Exception as error:
                return "backward", error
        return self.error

    @property
    def detail(self) -> tuple[int, int]:
        """How much it says: of several that an answer equals, the one that says most is meant."""
        return len(self.training.steps), sum(value is not None for value in self.initial.values())

    @property
    def unused(self) -> list[int]:
        """The sizes of the parameters that take no part."""
        used = {weight for step in self.training.steps for weight in step.weights}
        return sorted(size for weight, size in self.sizes.items() if weight not in used)


def constant(tensor: Tensor) -> float | None:
    """The number that all entries are."""
    numbers = tensor.detach().flatten()
    if len(numbers) < 2 or numbers[0] != numbers[1]:
        return None
    return numbers[0].item() if bool((numbers == numbers[0]).all()) else None


def raises_alike(raised: Raised, candidate: Candidate) -> bool:
    """Whether the candidate raises the same at the same stage, after the same operators."""
    its = candidate.raised if raised.stage == "backward" else candidate.error
    if its is None or its[0] != raised.stage or signature(its[1]) != signature(raised.error):
        return False
    steps = candidate.training.steps
    return raised.before is None or align(steps, *raised.before).reached == len(steps)


def signature(error: BaseException) -> tuple[str, str, list[str]]:
    """An exception with the order of its numbers, places in lists and addresses left aside."""
    text = re.sub(r"for tensor number \d+|0x[0-9a-f]+", "", str(error).partition("\n")[0])
    return type(error).__name__, re.sub(r"\d+", "#", text), sorted(re.findall(r"\d+", text))


def difference_from(answer: Answer, candidate: Candidate, *, search: bool = False) -> Difference | None:
    """Where the answer is another function than the candidate; None where it is the same.

    search  for weights where the answer has not the candidate's operators, but may be the same function all the same
    """
    steps = candidate.training.steps
    found = align(steps, answer.trace, answer.module)
    if found.reached < len(steps):
        other = searched(answer, candidate, found) if search else None
        if other is None:
            return Difference("operator", found, len(steps) - found.reached)
        found = other
    for kind, values in Comparison(answer, candidate, found).differences():
        return Difference(kind, found, 0, values)
    return None


@torch.no_grad()
def searched(answer: Answer, candidate: Candidate, found: Alignment) -> Alignment | None:
    """Weights for the operators that were not found, such that the output is the answer's: every way that shapes permit, up to TRIES."""
    if not candidate.sized_like(answer) or candidate.training.output is None:
        return None
    aligner = Aligner(candidate.training.steps, answer.trace, answer.module)
    tries = min(TRIES, 1 + TRIED // (1 + sum(candidate.sizes.values())))
    for full in itertools.islice(assignments(aligner, found), tries):
        if Comparison(answer, candidate, full).order() is not None:
            return full
    return None


def assignments(aligner: Aligner, found: Alignment) -> Iterator[Alignment]:
    """The alignment with its last operators given weights in every way that their shapes permit."""
    values = list(found.values)
    for index in range(len(values), len(aligner.steps)):
        step = aligner.steps[index]
        inputs = [aligner.trace.images if i < 0 else values[i][0].tensor for i in step.inputs]
        if step.op in PARAMETRIC:
            for binding in aligner.fitting(index, inputs[0], found):
                value = Value(compute(step, inputs, binding.weights(), Choice(), True), {})
                yield from assignments(aligner, Alignment({**found.bindings, index: binding}, [*values, [value]], index + 1))
            return
        values.append([Value(compute(step, inputs, Weights(), Choice(), True), {})])
    yield Alignment(found.bindings, values, len(values))


class Comparison:
    """An answer in which all operators of a candidate were found."""

    def __init__(self, answer: Answer, candidate: Candidate, found: Alignment) -> None:
        self.answer, self.candidate, self.found = answer, candidate, found
        self.steps = candidate.training.steps

    def differences(self) -> Iterator[tuple[Kind, dict[str, Any]]]:
        if unused := self.unused():
            yield "unused", {"names": ", ".join(unused)}
        order = self.order()
        if order is None:
            yield "output", {}
            return
        if self.gradients(order) > EQUAL:
            yield "gradients", {}
        if self.evaluation(order) > EQUAL:
            yield "evaluation", {}
        yield from self.initial_values()
        if bool(self.answer.hidden) != bool(self.candidate.hidden):
            yield "hidden", {"names": ", ".join(self.answer.hidden)}
        if not self.answer.alone:
            yield "alone", {}
        if self.answer.overwrites != self.candidate.overwrites:
            yield "overwrites", {}

    def unused(self) -> list[str]:
        """Parameters that take no part, where the candidate has not as many."""
        used = {use for binding in self.found.bindings.values() for use in binding.uses}
        left = {name: p.numel() for name, p in self.answer.module.named_parameters() if id(p) not in used}
        return list(left) if sorted(left.values()) != self.candidate.unused else []

    def order(self) -> Tensor | None:
        """For each channel of the candidate's output its place in the answer's: free only in whole branches of a concatenation."""
        output = self.candidate.training.output
        out, value = self.answer.output, self.value(output)
        if out.shape != value.shape:
            return None
        if same_numbers(out, value):
            return torch.arange(out.shape[1])
        if output is None or output < 0 or self.steps[output].op != "concat":
            return None
        places, left = list[Tensor](), set(range(out.shape[1]))
        for piece in (self.value(index) for index in self.steps[output].inputs):
            length = piece.shape[1]
            starts = (at for at in range(out.shape[1] - length + 1) if left.issuperset(range(at, at + length)))
            start = next((at for at in starts if same_numbers(out[:, at : at + length], piece)), None)
            if start is None:
                return None
            left -= set(range(start, start + length))
            places.append(torch.arange(start, start + length))
        return torch.cat(places)

    def value(self, index: int | None) -> Tensor:
        return self.answer.images if index is None or index < 0 else self.found.values[index][0].tensor

    def gradients(self, order: Tensor) -> float:
        images = self.answer.images.clone().requires_grad_()
        results = run_table(self.steps, self.found, images, training=True)
        output = self.candidate.training.output
        assert output is not None
        differs, _ = gradients_differ(self.answer.module, [(self.answer.output[:, order], results[output])], self.answer.given, images)
        return differs

    @torch.no_grad()
    def evaluation(self, order: Tensor) -> float:
        """How far the outputs in eval mode are apart."""
        run = self.candidate.evaluated
        bindings = {step.weights: self.found.bindings[index] for index, step in enumerate(self.steps) if step.weights}
        if run.output is None or any(step.weights and step.weights not in bindings for step in run.steps):
            return float("inf")
        found = Alignment({index: bindings[step.weights] for index, step in enumerate(run.steps) if step.weights})
        try:
            value = run_table(run.steps, found, self.answer.images, training=False)[run.output]
        except (RuntimeError, ValueError):  # a batch normalisation without running statistics
            return float("inf")
        out = one_tensor(self.answer.evaluated)
        return difference(out[:, order], value) if out.shape == value.shape else float("inf")

    def initial_values(self) -> Iterator[tuple[Kind, dict[str, Any]]]:
        """What starts at one number, starts at it here too. Everything else is free."""
        names = {id(parameter): name for name, parameter in self.answer.module.named_parameters()}
        for index, binding in self.found.bindings.items():
            for theirs, own in zip(binding.uses, self.steps[index].weights, strict=False):
                want, have = self.candidate.initial[own], constant(self.answer.initial[theirs])
                free = want is None and self.candidate.names[own] not in self.candidate.fixed
                if not free and want != have:
                    start = "…" if have is None else f"{have:g}"
                    yield "initial", {"name": names[theirs], "want": "…" if want is None else f"{want:g}", "have": start}
                    return
