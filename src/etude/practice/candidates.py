"""Holds an answer against a candidate: the solution, a known mistake, or two of them at once. Numbers decide."""

import copy
import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from etude.explain.findings import Finding
from etude.explain.outline import label
from etude.practice.answers import IMAGES, Answer, Raised, Ran, Stage, after_training, one_tensor, register_hidden
from etude.practice.arrangements import arrange
from etude.practice.exercises import Case
from etude.verification.align import PARAMETRIC, Aligner, Alignment, Binding, Value, align, run_table
from etude.verification.interpret import Choice, Weights, compute
from etude.verification.parts import Part, sources
from etude.verification.replay import Replay, Replayed, replayable
from etude.verification.trace import EQUAL, difference, gradients_differ, same_numbers

TRIES = 50  # assignments of weights, and parameters computed with in all of them
TRIED = 4_000_000

# in the order in which they are looked for, and worth telling; each has a message of that name
Kind = Literal["operator", "output", "shared", "gradients", "evaluation", "alone"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Difference:
    """The first way in which an answer is not the candidate's function.

    found   the candidate's operators in the answer, as far as they are there
    left    how many are not
    """

    kind: Kind
    found: Alignment
    left: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller where the answer comes nearer to the candidate."""
        return self.left, -KINDS.index(self.kind)


@dataclass(frozen=True)
class Held:
    """An answer held against a candidate: another function, or the same one up to what stands beside it.

    beside  biases, constants and initial values that are not the candidate's, and the like: each can come with any mistake
    """

    difference: Difference | None = None
    beside: tuple[Finding, ...] = ()

    @property
    def same(self) -> bool:
        return self.difference is None and not self.beside


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

    def differs_by_biases(self, answer: Answer) -> bool:
        """Whether the answer's parameters differ in size from its own as they do where layers have a bias more or less."""
        own, theirs = Counter(self.sizes.values()), Counter(p.numel() for p in answer.module.parameters())
        layers = [step for step in self.training.steps if step.op in ("conv", "linear")]
        missing, more = set(own - theirs), set(theirs - own)
        explained = missing <= {step.shape[0] for step in layers if step.bias} and more <= {
            step.shape[0] for step in layers if not step.bias
        }
        return bool(missing or more) and explained

    def cut_otherwise(self, answer: Ran) -> bool:
        """Whether the answer has as many numbers in its parameters, cut into other pieces: several layers in one, perhaps."""
        return not self.sized_like(answer) and sum(p.numel() for p in answer.module.parameters()) == sum(self.sizes.values())

    def may_be_arranged(self, answer: Answer) -> bool:
        """Whether a layer's weights may be several parameters of the answer, or one of another shape."""
        return self.cut_otherwise(answer) or any(event.operands and event.op not in PARAMETRIC for event in answer.trace.events)

    def sized_like(self, answer: Ran) -> bool:
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

    def size(self, name: str) -> int:
        return self.module.get_parameter(name).numel()

    @property
    def unused(self) -> list[str]:
        """The names of the parameters that take no part."""
        used = {weight for step in self.training.steps for weight in step.weights}
        return [name for weight, name in self.names.items() if weight not in used]


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
    steps, before = candidate.training.steps, raised.before
    return before is None or align(steps, before.trace, before.module).reached == len(steps)


def signature(error: BaseException) -> tuple[str, str, list[str]]:
    """An exception with the order of its numbers, places in lists and addresses left aside."""
    text = re.sub(r"for tensor number \d+|0x[0-9a-f]+", "", str(error).partition("\n")[0])
    return type(error).__name__, re.sub(r"\d+", "#", text), sorted(re.findall(r"\d+", text))


def held(answer: Answer, candidate: Candidate, *, search: bool = False) -> Held:
    """An answer against a candidate.

    search  for weights where the answer has not the candidate's operators, but may be the same function all the same
    """
    steps, found = with_other_biases(answer, candidate)
    if found.reached < len(steps) and candidate.may_be_arranged(answer):
        arrange(answer, (parameter.shape for parameter in candidate.module.parameters()))
        found = align(steps, answer.trace, answer.module)
    if found.reached < len(steps):
        other = searched(answer, candidate, found) if search else None
        if other is None:
            return Held(Difference("operator", found, len(steps) - found.reached))
        found = other
    comparison = Comparison(answer, candidate, found, steps)
    kind = comparison.difference()
    if kind:
        unseen = [values for values in found.values if kind == "output" and not any(answer.trace.has(value.tensor) for value in values)]
        return Held(Difference(kind, found, len(unseen)))
    return Held(beside=tuple(comparison.beside()))


def with_other_biases(answer: Answer, candidate: Candidate) -> tuple[tuple[Replayed, ...], Alignment]:
    """The candidate's steps in the answer; where that explains sizes of parameters, with a bias more or less than the candidate has."""
    steps = candidate.training.steps
    found = align(steps, answer.trace, answer.module)
    while found.reached < len(steps) and candidate.differs_by_biases(answer):
        step = steps[found.reached]
        other = (*steps[: found.reached], replace(step, bias=not step.bias), *steps[found.reached + 1 :])
        further = align(other, answer.trace, answer.module)
        if step.op not in ("conv", "linear") or further.reached <= found.reached:
            break
        steps, found = other, further
    return steps, found


@torch.no_grad()
def searched(answer: Answer, candidate: Candidate, found: Alignment) -> Alignment | None:
    """Weights for the operators that were not found, such that the output is the answer's: every way that shapes permit, up to TRIES."""
    steps = candidate.training.steps
    if not candidate.sized_like(answer) or candidate.training.output is None:
        return None
    aligner = Aligner(steps, answer.trace, answer.module)
    tries = min(TRIES, 1 + TRIED // (1 + sum(candidate.sizes.values())))
    for full in itertools.islice(assignments(aligner, found), tries):
        if Comparison(answer, candidate, full, steps).order is not None:
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
    """An answer in which all operators of a candidate were found.

    steps  the candidate's, with the biases that the answer has
    """

    def __init__(self, answer: Answer, candidate: Candidate, found: Alignment, steps: Sequence[Replayed]) -> None:
        self.answer, self.candidate, self.found, self.steps = answer, candidate, found, steps
        self.uses = {id(weight): weight for weight in (*answer.module.parameters(), *answer.trace.parts)}
        self.names = {id(parameter): name for name, parameter in answer.module.named_parameters()}
        self.bindings = {step.weights: found.bindings[index] for index, step in enumerate(steps) if step.weights}

    # ── Another function ─────────────────────────────────────────────────────────────────────────────────────────────

    def difference(self) -> Kind | None:
        if self.order is None or self.lacks_unused():
            return "output"
        if self.shares_numbers:
            return "shared"
        if self.gradients(self.order) > EQUAL:
            return "gradients"
        if self.evaluation(self.order) > EQUAL:
            return "evaluation"
        return None if self.answer.alone else "alone"

    def lacks_unused(self) -> bool:
        """Whether the candidate has weights without use that the answer has not; biases may be missing anywhere."""
        weights = (name for name in self.candidate.unused if not name.endswith("bias"))
        return bool(Counter(map(self.candidate.size, weights)) - self.left)

    @functools.cached_property
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

    @functools.cached_property
    def times(self) -> dict[int, Tensor]:
        """How often each number of the answer's parameters is in the weights of a layer, by the parameters' ids."""
        return self.answer.trace.parts.counted(use for binding in self.bindings.values() for use in binding.uses)

    @property
    def shares_numbers(self) -> bool:
        return any(bool((times > 1).any()) for times in self.times.values())

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
        if run.output is None or any(step.weights and step.weights not in self.bindings for step in run.steps):
            return float("inf")
        found = Alignment({index: self.bindings[step.weights] for index, step in enumerate(run.steps) if step.weights})
        try:
            value = run_table(run.steps, found, self.answer.images, training=False)[run.output]
        except (RuntimeError, ValueError):  # a batch normalisation without running statistics
            return float("inf")
        out = one_tensor(self.answer.evaluated)
        return difference(out[:, order], value) if out.shape == value.shape else float("inf")

    # ── The same function, and beside it ─────────────────────────────────────────────────────────────────────────────

    def beside(self) -> Iterator[Finding]:
        """Differences of which each can stand beside others."""
        yield from self.layers("bias_missing", lambda own, step: own.bias and not step.bias)
        yield from self.layers("bias_extra", lambda own, step: step.bias and not own.bias)
        yield from self.constants()
        yield from self.aside()

    def aside(self) -> Iterator[Finding]:
        """What becomes of parameters and of the input, whatever is computed."""
        yield from self.without_effect()
        yield from self.computed()
        yield from self.initial_values()
        if frozen := [name for name, parameter in self.answer.module.named_parameters() if not parameter.requires_grad]:
            yield Finding("frozen", {"names": ", ".join(frozen)})
        if bool(self.answer.hidden) != bool(self.candidate.hidden):
            yield Finding("hidden", {"names": ", ".join(self.answer.hidden)})
        if self.answer.overwrites != self.candidate.overwrites:
            yield Finding("overwrites")

    def layers(self, key: str, which: Callable[[Replayed, Replayed], bool]) -> Iterator[Finding]:
        """The answer's layers in which the candidate's own step and the answer's are so, at the line of the first."""
        pairs = zip(self.candidate.training.steps, self.steps, strict=True)
        found = [self.bindings[step.weights] for own, step in pairs if step.weights and which(own, step)]
        if found:
            yield Finding(key, {"names": self.homes(found)}, self.line(found[0]))

    def homes(self, bindings: Sequence[Binding]) -> str:
        """The layers of some bindings, by name."""
        names = [self.names[id(source)] for binding in bindings for source in sources(self.uses[binding.uses[0]])]
        return ", ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in names))

    def line(self, binding: Binding) -> int | None:
        """Of the learner's file, where a binding is that of an operator as it ran."""
        return None if self.found.normal else self.answer.lines[binding.event] or None

    @functools.cached_property
    def left(self) -> Counter[int]:
        """The sizes of the parameters beside those that make the result."""
        return Counter(parameter.numel() for parameter in self.beyond().values())

    def beyond(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.answer.module.named_parameters() if not self.times[id(parameter)].any()}

    def without_effect(self) -> Iterator[Finding]:
        """Parameters beside those that make the result, of sizes that the candidate does not leave unused; and parts of others."""
        for name, parameter in self.answer.module.named_parameters():
            times = self.times[id(parameter)]
            if times.any() and not times.all():
                yield Finding("partly_unused", {"name": name, "count": int((times == 0).sum()), "of": times.numel()})
        more = self.left - Counter(map(self.candidate.size, self.candidate.unused))
        names = [name for name, parameter in self.beyond().items() if parameter.numel() in more]
        if not names:
            return
        parameters = [self.answer.module.get_parameter(name) for name in names]
        gradients = torch.autograd.grad(self.answer.output.sum(), parameters, retain_graph=True, allow_unused=True)
        for key, unreached in (("unused", True), ("without_effect", False)):
            if those := [name for name, gradient in zip(names, gradients, strict=True) if (gradient is None) == unreached]:
                yield Finding(key, {"names": ", ".join(those)})

    def computed(self) -> Iterator[Finding]:
        """Weights of which not every number is a parameter's own."""
        for step in self.steps:
            uses = self.bindings[step.weights].uses if step.weights else ()
            parts = [part for use in uses if isinstance(part := self.uses[use], Part)]
            if made := [part for part in parts if part.numbers is None or not part.numbers.all()]:
                names = dict.fromkeys(self.names[id(source)] for part in made for source in part.sources)
                yield Finding("computed", {"layer": label(step), "names": ", ".join(names)}, self.line(self.bindings[step.weights]))
                return

    def constants(self) -> Iterator[Finding]:
        """Of batch normalisations: ε, and how running statistics follow the batches."""
        norms = [(step, self.bindings[step.weights]) for step in self.steps if step.op == "batch_norm" and step.weights]
        other = [(step, b) for step, b in norms if b.eps != step.constants[0]]
        if other:
            names = self.homes([binding for _, binding in other])
            yield Finding("norm_eps", {"names": names, "have": f"{other[0][1].eps:g}", "want": f"{other[0][0].constants[0]:g}"})
        elif norms and self.order is not None and self.answer.trained is not None and self.steps == self.candidate.training.steps:
            trained = after_training(carried(self.candidate, self.bindings), self.answer.images.shape)
            if difference(self.answer.trained[:, self.order], trained) > EQUAL:
                yield Finding("norm_momentum")

    def initial_values(self) -> Iterator[Finding]:
        """What starts at one number, starts at it here too, and weights that start at random do so. Everything else is free."""
        for step in self.steps:
            for place, (own, name, start) in enumerate(self.starts(step)):
                want, have = self.candidate.initial[own], constant(start)
                if want is None and have is not None and place == 0 and step.op in ("conv", "linear"):
                    yield Finding("starts_alike", {"name": name, "have": f"{have:g}"})
                    return
                free = want is None and self.candidate.names[own] not in self.candidate.fixed
                if not free and want != have:
                    want_, have_ = ("…" if number is None else f"{number:g}" for number in (want, have))
                    yield Finding("initial", {"name": name, "want": want_, "have": have_})
                    return

    def starts(self, step: Replayed) -> Iterator[tuple[int, str, Tensor]]:
        """Of a step's weights: the candidate's id, the name of the answer's, and how that was at the start."""
        uses = self.bindings[step.weights].uses if step.weights else ()
        for place, (own, use) in enumerate(zip(step.weights, uses, strict=False)):
            name = ", ".join(self.names[id(source)] for source in sources(self.uses[use]))
            if isinstance(self.uses[use], Part):
                name += f" ({label(step)}{', bias' * place})"
            yield own, name, self.answer.trace.parts.given(use, self.answer.initial)


@torch.no_grad()
def carried(candidate: Candidate, bindings: Mapping[tuple[int, ...], Binding]) -> nn.Module:
    """A copy of the candidate's module with the weights and running statistics that were found."""
    module = copy.deepcopy(candidate.module)
    for weights, binding in bindings.items():
        for own, tie in zip(weights, (binding.weight, binding.bias), strict=False):
            parameter = module.get_parameter(candidate.names[own])
            parameter.copy_(torch.zeros(()) if tie is None else tie().reshape(parameter.shape))
        home = module.get_submodule(candidate.names[weights[0]].rpartition(".")[0])
        for name, tie in (("running_mean", binding.mean), ("running_var", binding.variance)):
            if tie and isinstance(home, nn.BatchNorm2d):
                home.get_buffer(name).copy_(tie())
    return module
