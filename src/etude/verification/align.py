"""Finds, by numbers, which weights of anybody's module play which role in a paper's table.

The table's operators are computed one after the other on the numbers of the traced run. An operator with weights is given those of the
module that make its result appear among the numbers of that run: whatever the names, the style and the order of branches. Where none
does, the module departs, at that place.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from etude.papers import Step
from etude.verification.interpret import NORM_EPS, RESPONSE, Choice, Weights, compute
from etude.verification.normal import normal, places
from etude.verification.parts import essential, sources, tied
from etude.verification.trace import Event, Trace, signature_of

MOST_RETURNS = 100
MOST_ORDERS = 3
PARAMETRIC = ("conv", "linear", "batch_norm")

Tied = Callable[[], Tensor]  # a tensor made of the module's parameters when it is asked for, so that gradients reach them


@dataclass(frozen=True)
class Binding:
    """The weights that an operator was given, as functions of the module's own tensors, so that gradients reach them.

    uses   ids of the parameters, or of their parts
    event  the operator of the trace that makes the same numbers
    """

    weight: Tied | None
    bias: Tied | None
    uses: tuple[int, ...]
    event: int
    mean: Tied | None = None
    variance: Tied | None = None
    eps: float = NORM_EPS

    def weights(self) -> Weights:
        weight, bias, mean, variance = (view() if view else None for view in (self.weight, self.bias, self.mean, self.variance))
        return Weights(weight, bias, mean, variance, self.eps)


@dataclass(frozen=True)
class Value:
    """What an operator gave, and the choices of shortcuts that it rests on."""

    tensor: Tensor
    choices: dict[int, Choice]


@dataclass
class Alignment:
    """Which weights each operator of the table was given, as far as it went.

    values    what each operator gave
    reached   how many operators were matched; all, where the module is the table's
    constants of a local response norm, as the module has them
    images    what the first operators work on, where that is not the images alone
    normal    whether it is that of the run in normal form, and `sums` whether additions were brought to it too
    """

    bindings: dict[int, Binding] = field(default_factory=dict)
    values: list[list[Value]] = field(default_factory=list)
    reached: int = 0
    constants: dict[str, float] = field(default_factory=dict)
    images: Sequence[Value] = ()
    normal: bool = False
    sums: bool = True

    @property
    def choices(self) -> dict[int, Choice]:
        return self.values[-1][0].choices if self.values and self.values[-1] else {}


def align(steps: Sequence[Step], trace: Trace, module: nn.Module) -> Alignment:
    """The weights of `module` that make its traced run the table's, as it is or else in normal form; as far as they can be found."""
    best = Aligner(steps, trace, module).run()
    for sums in (True, False):
        if best.reached < len(steps) and not best.normal and (form := normal(trace, sums=sums)) is not trace:
            found = Aligner(steps, form, module).run()
            if found.reached > best.reached - (not sums):  # what departs is better told in normal form
                best = replace(found, normal=True, sums=sums)
    return best


class Aligner:
    def __init__(self, steps: Sequence[Step], trace: Trace, module: nn.Module) -> None:
        self.steps, self.trace = steps, trace
        self.parameters = dict(module.named_parameters())
        self.buffers = dict(module.named_buffers())
        self.names = {id(parameter): name for name, parameter in self.parameters.items()}
        for number, part in enumerate(trace.parts):
            name = f"{self.names[id(part.sources[0])]}[{number}]"
            self.parameters[name], self.names[id(part)] = part, name
        self.consumers: dict[int, list[Event]] = {}
        for event in trace.events:
            for index in event.inputs:
                self.consumers.setdefault(index, []).append(event)
        self.sighted: WeakIdKeyDictionary = WeakIdKeyDictionary()  # of inputs, where they were seen
        self.known: WeakIdKeyDictionary = WeakIdKeyDictionary()  # of inputs, what layers gave

    @torch.no_grad()
    def run(self) -> Alignment:
        """Depth first, going back to the last place where other weights would have done as well."""
        found = best = Alignment(constants=self.constants())
        waiting: list[tuple[int, Iterator[tuple[Binding, list[Value]]]]] = []
        returns = 0
        while len(found.values) < len(self.steps):
            index = len(found.values)
            step = self.steps[index]
            if step.op in PARAMETRIC:
                ways = self.ways(index, found)
                waiting.append((index, ways))
            else:
                values = self.plain(step, found)
                found.values.append(values)
                continue
            while waiting:
                index, ways = waiting[-1]
                way = next(ways, None)
                if way is not None:
                    del found.values[index:]
                    found.bindings = {at: binding for at, binding in found.bindings.items() if at < index}
                    found.bindings[index] = way[0]
                    found.values.append(way[1])
                    break
                if index >= best.reached:
                    best = Alignment(dict(found.bindings), list(found.values[:index]), index, found.constants)
                waiting.pop()
                returns += 1
            if not waiting or returns > MOST_RETURNS:
                return best
        found.reached = len(self.steps)
        return found

    # ── Operators without weights ────────────────────────────────────────────────────────────────────────────────────

    def plain(self, step: Step, found: Alignment) -> list[Value]:
        """Everything the operator may have given; where only some of it is seen in the run, that."""
        values = [
            Value(compute(step, [v.tensor for v in inputs], Weights(), choice, True, found.constants), choices)
            for inputs, given in self.inputs(step, found)
            for choice in self.choices_of(step, inputs[0].tensor)
            for choices in [given if choice is None else {**given, step.index: choice}]
            for choice in [choice or Choice()]
        ]
        if len(values) > 1 and step.op not in ("slice", "pad"):
            return [value for value in values if self.trace.has(value.tensor)] or values
        return values

    def choices_of(self, step: Step, x: Tensor) -> list[Choice | None]:
        """What the paper leaves open about a shortcut without parameters; nothing about any other operator."""
        if step.op == "slice" and step.first is None and isinstance(step.stride, int):
            return [Choice(pixel=pixel) for pixel in itertools.product(range(step.stride), range(step.stride))]
        if step.op == "pad" and step.channels is None:
            new = step.shape[0] - x.shape[1]
            return list(dict.fromkeys([*(Choice(front=front) for front in (0, new, new // 2)), *self.among_zeros(step, x)]))
        return [None]

    def among_zeros(self, step: Step, x: Tensor) -> Iterator[Choice]:
        """Where the run has the channels of `x` among channels of zeros; where it has not, as every second one."""
        wanted, channels, shown = signature_of(x), x.shape[1], False
        for _, _, signature in self.trace.by_size.get(step.shape[0], []):
            at = places(wanted, signature)
            if at is not None and not signature.index_fill(0, at, 0).any():
                side_by_side = torch.equal(at, at[0] + torch.arange(channels))
                yield Choice(front=int(at[0])) if side_by_side else Choice(places=tuple(at.tolist()))
                shown = True
        if not shown and step.shape[0] == 2 * channels:
            yield from (Choice(places=tuple(range(first, 2 * channels, 2))) for first in (0, 1))

    def constants(self) -> dict[str, float]:
        """What the paper leaves open and the module has chosen: the parameters of a local response norm."""
        given = (event.constants for event in self.trace.events if event.op == "local_response_norm")
        return dict(zip(RESPONSE, next(given, ()), strict=False))

    def inputs(self, step: Step, found: Alignment) -> Iterator[tuple[list[Value], dict[int, Choice]]]:
        """The inputs of a step in every combination whose choices agree."""
        images = found.images or [Value(self.trace.images, {})]
        for values in itertools.product(*(images if index < 0 else found.values[index] for index in step.inputs)):
            merged: dict[int, Choice] = {}
            if all(merged.setdefault(at, choice) == choice for value in values for at, choice in value.choices.items()):
                yield list(values), merged

    # ── Operators with weights ───────────────────────────────────────────────────────────────────────────────────────

    def ways(self, index: int, found: Alignment) -> Iterator[tuple[Binding, list[Value]]]:
        """Every way to give the operator weights under which its result is seen in the run."""
        step = self.steps[index]
        used = {parameter for binding in found.bindings.values() for parameter in binding.uses}
        seen: set[tuple[int, ...]] = set()
        for inputs, choices in self.inputs(step, found):
            x = inputs[0].tensor
            places = self.sightings(x)
            orders = distinct([order for _, order in places]) or self.orders_before(step, found) or [torch.arange(x.shape[1])]
            events = [event for place, _ in places for event in self.consumers.get(place, [])]
            if step.shares is not None:
                yield from self.shared(step, x, found.bindings[step.shares], choices)
                continue
            make = self.norms if step.op == "batch_norm" else self.products
            for binding in make(step, x, orders, events, used):
                key = binding.uses
                if key not in seen and not used.intersection(key):
                    seen.add(key)
                    result = compute(step, [x], binding.weights(), Choice(), True)
                    yield binding, [Value(result, choices)]

    def sightings(self, x: Tensor) -> list[tuple[int, Tensor]]:
        """The first places at which an input was seen."""
        if x not in self.sighted:
            self.sighted[x] = list(itertools.islice(self.trace.find(x), 8))
        return self.sighted[x]

    def shared(self, step: Step, x: Tensor, binding: Binding, choices: dict[int, Choice]) -> Iterator[tuple[Binding, list[Value]]]:
        """The weights of an earlier operator, used again."""
        result = compute(step, [x], binding.weights(), Choice(), True)
        if self.trace.has(result):
            yield binding, [Value(result, choices)]

    def orders_before(self, step: Step, found: Alignment) -> list[Tensor]:
        """The order of the features that a flatten would give, where the run has only the maps in front of it."""
        before = self.steps[step.inputs[0]]
        if before.op != "flatten" or before.inputs[0] < 0:
            return []
        maps = found.values[before.inputs[0]][0].tensor
        pixels = maps[0, 0].numel()
        orders = distinct([order for _, order in itertools.islice(self.trace.find(maps), 8)])
        return [(order[:, None] * pixels + torch.arange(pixels)).flatten() for order in orders]

    def products(self, step: Step, x: Tensor, orders: list[Tensor], events: list[Event], used: set[int]) -> Iterator[Binding]:
        """Convolutions and linear layers."""
        shape = weight_shape(step, x)
        for parameter in self.candidates(shape, events, used):
            for number, view in enumerate(views(parameter, shape)):
                for order in orders:
                    weight = reordered(view, order)
                    bare, of_ones = self.product(step, x, weight, (id(parameter), number, tuple(order.tolist())))
                    if not step.bias:
                        yield from self.seen(bare, Binding(weight, None, (id(parameter),), -1))
                        continue
                    for bias in self.biases(parameter, step.shape[0], used):
                        uses = (id(parameter), id(bias))
                        yield from self.seen(bare + bias.reshape(-1) * of_ones, Binding(weight, vector(bias), uses, -1))

    def product(self, step: Step, x: Tensor, weight: Tied, made_of: tuple[object, ...]) -> tuple[Tensor, Tensor]:
        """The signature of a layer without its bias, and that of ones in its place, once for each input and weight: they add up."""
        known = self.known.setdefault(x, {})
        key = (step.op, step.kernel, step.stride, step.padding, step.dilation, step.groups, step.shape[0], *made_of)
        if key not in known:
            result = compute(step, [x], Weights(weight()), Choice(), True)
            known[key] = signature_of(result), signature_of(torch.ones_like(result[:, :1]))
        return known[key]

    def fitting(self, index: int, x: Tensor, found: Alignment) -> Iterator[Binding]:
        """Weights that have the right shapes for an operator, whether or not its result is seen in the run."""
        step, used = self.steps[index], {parameter for binding in found.bindings.values() for parameter in binding.uses}
        if step.shares is not None:
            yield found.bindings[step.shares]
        elif step.op == "batch_norm":
            for weight, bias, mean, variance in self.by_hand(x.shape[1], used):
                views_ = [None if part is None else vector(part) for part in (weight, bias, mean, variance)]
                yield Binding(views_[0], views_[1], (id(weight), id(bias)), -1, views_[2], views_[3])
        else:
            shape = weight_shape(step, x)
            for parameter in self.candidates(shape, [], used):
                for view in views(parameter, shape):
                    for bias in self.biases(parameter, step.shape[0], used) if step.bias else (None,):
                        uses = (id(parameter),) if bias is None else (id(parameter), id(bias))
                        yield Binding(view, None if bias is None else vector(bias), uses, -1)

    def seen(self, signature: Tensor, binding: Binding) -> Iterator[Binding]:
        place = next(self.trace.matching(signature), None)
        if place:
            yield Binding(binding.weight, binding.bias, binding.uses, place[0])

    def candidates(self, shape: tuple[int, ...], events: list[Event], used: set[int]) -> Iterator[nn.Parameter]:
        """Parameters that could be a weight of that shape: first those that the run applied to the same input, in its order.

        The others only where the input went into something in which a weight may be hidden.
        """
        first = [operand for event in events for operand in event.operands if isinstance(operand, nn.Parameter)]
        others = () if events and all(map(is_open, events)) else self.parameters.values()
        offered: set[int] = set()
        for parameter in [*first, *others]:
            if id(parameter) not in offered and id(parameter) not in used and fits(parameter, shape):
                offered.add(id(parameter))
                yield parameter

    def biases(self, weight: nn.Parameter, size: int, used: set[int]) -> Iterator[nn.Parameter]:
        """Vectors that could be the bias beside a weight, those of the same module first."""
        home = self.names[id(weight)].rpartition(".")[0]
        fitting = [
            (name.rpartition(".")[0] != home, parameter)
            for name, parameter in self.parameters.items()
            if parameter.numel() == size and parameter is not weight and id(parameter) not in used
        ]
        for _, parameter in sorted(fitting, key=lambda pair: pair[0]):
            yield parameter

    def norms(self, step: Step, x: Tensor, orders: list[Tensor], events: list[Event], used: set[int]) -> Iterator[Binding]:
        """Batch normalisations: those that the run applied to the same input, then vectors by hand."""
        size = x.shape[1]
        applied = [event for event in events if event.op == "batch_norm" and event.shape[0] == size]
        for event in applied:
            weight, bias, mean, variance = event.operands
            if sources(weight) and sources(bias):
                yield from self.norm(step, x, orders, (weight, bias, mean, variance), event.constants[0])
        if not applied:
            for vectors, statistics in self.homes(size, used):
                own = statistics[:2] if len(statistics) > 1 else [None, None]  # in training mode any do; eval mode tells which
                for weight, bias in itertools.permutations(vectors, 2):
                    yield from self.norm(step, x, orders, (weight, bias, *own), NORM_EPS)

    def norm(self, step: Step, x: Tensor, orders: list[Tensor], vectors: tuple[Tensor | None, ...], eps: float) -> Iterator[Binding]:
        for order in orders:
            weight, bias, mean, variance = (None if part is None else vector(part, order) for part in vectors)
            assert weight is not None
            assert bias is not None
            result = compute(step, [x], Weights(weight(), bias(), eps=eps), Choice(), True)
            place = next(self.trace.find(result), None)
            if place:
                yield Binding(weight, bias, (id(vectors[0]), id(vectors[1])), place[0], mean, variance, eps)

    def by_hand(self, size: int, used: set[int]) -> Iterator[tuple[Tensor | None, ...]]:
        """Scale, shift, mean and variance of a normalisation that is written out, in every way."""
        for vectors, statistics in self.homes(size, used):
            for weight, bias in itertools.permutations(vectors, 2):
                for mean, variance in itertools.permutations(statistics, 2) if statistics else [(None, None)]:
                    yield weight, bias, mean, variance

    def homes(self, size: int, used: set[int]) -> Iterator[tuple[list[nn.Parameter], list[Tensor]]]:
        """Of every module that has some: its vectors of that size that are not used, and its buffers."""
        found: dict[str, list[nn.Parameter]] = {}
        for name, parameter in self.parameters.items():
            if parameter.numel() == size and id(parameter) not in used:
                found.setdefault(name.rpartition(".")[0], []).append(parameter)
        for home, vectors in found.items():
            yield vectors, [own for name, own in self.buffers.items() if name.rpartition(".")[0] == home and own.numel() == size]


def is_open(event: Event) -> bool:
    """Whether an operator is one that applies no weights to its input, or parameters of the module as they are."""
    if event.op in ("conv", "linear"):
        return bool(event.operands) and isinstance(event.operands[0], nn.Parameter)
    return event.op in ("batch_norm", "relu", "add", "concat")


def weight_shape(step: Step, x: Tensor) -> tuple[int, ...]:
    """Of the weights of a convolution or linear layer that works on `x`."""
    kernel = step.kernel if isinstance(step.kernel, tuple) else (step.kernel or 1, step.kernel or 1)
    window = kernel if step.op == "conv" else ()
    return (step.shape[0], x.shape[1] // step.groups, *window)


def fits(parameter: Tensor, shape: Sequence[int]) -> bool:
    """Whether a parameter can be a weight of that shape: the same sides in any order, or the same numbers for each output."""
    if parameter.numel() != math.prod(shape):
        return False
    return essential(parameter.shape) == essential(shape) or parameter.shape[0] == shape[0]


def views(parameter: nn.Parameter, shape: tuple[int, ...]) -> Iterator[Tied]:
    """The parameter as a tensor of that shape: as it is, or with its sides in another order; sides of 1 are free."""
    sides = [index for index, side in enumerate(parameter.shape) if side != 1]
    wanted = [side for side in shape if side != 1]
    for order in itertools.permutations(sides):
        if [parameter.shape[index] for index in order] == wanted:

            def view(order: tuple[int, ...] = order) -> Tensor:
                ones = [index for index in range(parameter.dim()) if index not in order]
                return tied(parameter).permute(*order, *ones).reshape(shape)

            yield view
    if essential(parameter.shape) != essential(shape):
        yield lambda: tied(parameter).reshape(shape)


def reordered(view: Tied, order: Tensor) -> Tied:
    """A weight whose input channels stand in the order of the table."""
    if torch.equal(order, torch.arange(len(order))):
        return view
    return lambda: view()[:, order]


def vector(tensor: Tensor, order: Tensor | None = None) -> Tied:
    return lambda: tied(tensor).reshape(-1) if order is None else tied(tensor).reshape(-1)[order]


def distinct(orders: list[Tensor]) -> list[Tensor]:
    kept: list[Tensor] = []
    for order in orders:
        if len(kept) < MOST_ORDERS and not any(torch.equal(order, other) for other in kept):
            kept.append(order)
    return kept


def last_of_table(steps: Sequence[Step], found: Alignment, images: Tensor) -> Tensor:
    """The logits of the table in eval mode, with the weights that were found; what nothing reads any more is not kept."""
    trunk = [(index, step) for index, step in enumerate(steps) if not step.side]
    last = {before: index for index, step in trunk for before in step.inputs}
    results: dict[int, Tensor] = {-1: images}
    for index, step in trunk:
        results[index] = result_of(index, step, results, found, training=False)
        for before in {before for before in step.inputs if last[before] == index}:
            del results[before]
    return results[len(steps) - 1]


def result_of(index: int, step: Step, results: Mapping[int, Tensor], found: Alignment, *, training: bool) -> Tensor:
    """What an operator of the table gives, with the weights that were found."""
    weights = found.bindings[index].weights() if index in found.bindings else Weights()
    choice = found.choices.get(index, Choice())
    return compute(step, [results[i] for i in step.inputs], weights, choice, training, found.constants)


def run_table(steps: Sequence[Step], found: Alignment, images: Tensor, *, training: bool) -> dict[int, Tensor]:
    """The results of the table's operators with the weights that were found, differentiable."""
    results: dict[int, Tensor] = {-1: images}
    for index, step in enumerate(steps):
        results[index] = result_of(index, step, results, found, training=training)
    return results


def choices_in_words(steps: Sequence[Step], found: Alignment) -> Iterator[str]:
    """What the paper leaves open, where the module has it otherwise than the authors' release."""
    pixels: dict[tuple[int, int], list[str]] = {}
    for i, choice in found.choices.items():
        if steps[i].op == "slice" and any(choice.pixel):
            pixels.setdefault(choice.pixel, []).append(steps[i].path.rpartition(".")[0])
    for (row, column), where in pixels.items():
        pixel = str(row) if row == column else f"({row}, {column})"
        yield f"identity shortcuts keep pixel {pixel} of every 2×2 in {', '.join(where)}; the paper does not say which"
    padded = {steps[i].path.rpartition(".")[0]: c for i, c in found.choices.items() if steps[i].op == "pad"}
    between = [path for path, choice in padded.items() if choice.places]
    fronts = [path for path, choice in padded.items() if choice.front]
    if fronts:
        yield f"zero channels stand in front or on both sides in {', '.join(fronts)}; the paper does not say where"
    if between:
        yield f"zero channels stand between the others in {', '.join(between)}; the paper does not say where"
    epsilons = sorted({b.eps for i, b in found.bindings.items() if steps[i].op == "batch_norm" and b.eps != NORM_EPS})
    if epsilons:
        yield f"batch normalisation has ε = {', '.join(f'{eps:g}' for eps in epsilons)}; the paper does not say (here {NORM_EPS:g})"
    if found.constants and found.constants != RESPONSE:
        constants = ", ".join(f"{name} = {value:g}" for name, value in found.constants.items())
        yield f"local response normalisation has {constants}; the paper does not say"
