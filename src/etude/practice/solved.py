"""Weights that no parameter is: packed, cut or computed. They are read off the run itself, as derivatives of what came out by what went in.

Where a layer's input and output are both seen in a run, the derivative of the one by the other is its weight, whatever it was made of.
Whether it is right is seen at all other pixels and images. How it depends on the parameters is not known: gradients are compared with
differences of the outputs.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional as F

from etude.explain.recorder import Call
from etude.papers import Step
from etude.practice.answers import Answer
from etude.verification.align import Aligner, Alignment, Binding, Tied, Value, weight_shape
from etude.verification.interpret import NORM_EPS, Choice, Weights, compute
from etude.verification.prepare import copied
from etude.verification.trace import AgainWithoutChance, EventRecorder, same_numbers

Place = tuple[int, int]  # an operator, -1 for the images, and the first of its channels

STEP = 1e-6  # of a difference, relative to the numbers of the weights
CLOSE = 1e-4  # a difference and a derivative, relative
DECIMALS = 9  # what is left of a number that was read off, without the noise of arithmetic
ALIKE = 1e-12  # two weights drawn at random are never so close


@dataclass(frozen=True)
class Solved(Binding):
    """Weights that were read off; `place` is where their results are, `start` what they were at the start."""

    place: Place = (-1, 0)
    start: tuple[Tensor, ...] = ()


class Graph(EventRecorder):
    """Keeps what every operator made with its way back, as it was before anything wrote into it."""

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__(module, images)
        self.made = {-1: images.clone()}
        self.edges: dict[int, GradientEdge] = {-1: get_gradient_edge(images)}

    def note(self, call: Call) -> None:
        before = len(self.trace.events)
        super().note(call)
        for index, tensor in enumerate(filter(self.is_worth_noting, call.made), start=before):
            self.made[index] = tensor.clone()
            if tensor.requires_grad:
                self.edges[index] = get_gradient_edge(tensor)

    @functools.cached_property
    def windows(self) -> dict[tuple[int, int], list[int]]:
        """Where the run cuts channels out of others: by how many there are, and how many are taken, the first of them."""
        found: dict[tuple[int, int], list[int]] = {}
        for event in self.trace.events:
            part = self.made[event.index]
            for whole in (self.made[index] for index in event.inputs if self.made[index].shape[2:] == part.shape[2:]):
                firsts = found.setdefault((whole.shape[1], part.shape[1]), [])
                for first in range(whole.shape[1] - part.shape[1] + 1):
                    if first not in firsts and torch.equal(whole[:, first : first + part.shape[1]], part):
                        firsts.append(first)
        return found

    def places(self, shape: tuple[int, ...]) -> Iterator[Place]:
        """Where something of a shape is, without the images: what an operator made, or channels cut out of that."""
        for index, made in self.made.items():
            if made.shape[2:] == shape[1:] and made.dim() == 1 + len(shape):
                firsts = [0] if made.shape[1] == shape[0] else self.windows.get((made.shape[1], shape[0]), [])
                yield from ((index, first) for first in firsts)

    def numbers(self, place: Place, channels: int) -> Tensor:
        return self.made[place[0]].detach()[:, place[1] : place[1] + channels]

    @torch.enable_grad()
    def slope(self, place: Place, by: Place, position: tuple[int, ...], channels: int) -> Tensor | None:
        """The derivative of a number of the first image at one place, by all of that image at another."""
        if place[0] not in self.edges or by[0] not in self.edges:
            return None
        number = self.made[place[0]][(0, place[1] + position[0], *position[1:])]
        (slope,) = torch.autograd.grad(number, [self.edges[by[0]]], retain_graph=True, allow_unused=True)
        return None if slope is None else slope[0, by[1] : by[1] + channels]


class Runs:
    """An answer's runs with their ways back: in both modes, and as it was at the start."""

    def __init__(self, answer: Answer) -> None:
        self.training, self.evaluated = (graph(answer.module, answer.images, training=training) for training in (True, False))
        module = copied(answer.module)
        with torch.no_grad():
            for parameter, own in zip(module.parameters(), answer.module.parameters(), strict=True):
                parameter.copy_(answer.initial[id(own)])
        self.initial = graph(module, answer.images, training=True)


@functools.lru_cache(maxsize=4)
def runs_of(answer: Answer) -> Runs:
    return Runs(answer)


@torch.enable_grad()
def graph(module: nn.Module, images: Tensor, *, training: bool) -> Graph:
    module, given = copied(module).train(training), images.clone().requires_grad_().clone()
    recorder = Graph(module, given)
    with recorder:
        module(given)
    return recorder


class Solver(Aligner):
    """An aligner that reads weights off the run where none of the module's parameters are they."""

    def __init__(self, steps: Sequence[Step], answer: Answer) -> None:
        super().__init__(steps, answer.trace, answer.module)
        self.runs = runs_of(answer)

    def ways(self, index: int, found: Alignment) -> Iterator[tuple[Binding, list[Value]]]:
        none = True
        for way in super().ways(index, found):
            none = False
            yield way
        if none and self.steps[index].shares is None:
            yield from self.read_off(index, found)

    def read_off(self, index: int, found: Alignment) -> Iterator[tuple[Binding, list[Value]]]:
        step, run = self.steps[index], self.runs.training
        (x,), choices = next(self.inputs(step, found))
        taken = {binding.place for binding in found.bindings.values() if isinstance(binding, Solved)}
        channels = x.tensor.shape[1]
        entries = [place for place in run.places(tuple(x.tensor.shape[1:])) if same_numbers(run.numbers(place, channels), x.tensor)]
        for entry, place in itertools.product(entries[:1], run.places(step.shape)):
            weights = weights_between(step, run, entry, place, channels) if place[0] > entry[0] and place not in taken else None
            if weights is not None and (weights.bias is None or bool((weights.bias.abs() > ALIKE).all())):  # it may be added later
                result = compute(step, [x.tensor], weights, Choice(), True)
                if same_numbers(result, run.numbers(place, step.shape[0])):
                    yield self.bound(step, weights, entry, place, channels), [Value(result, choices)]

    def bound(self, step: Step, weights: Weights, entry: Place, place: Place, channels: int) -> Solved:
        at_first = weights_between(step, self.runs.initial, entry, place, channels)
        read = (at_first.weight, at_first.bias) if at_first else ()
        start = tuple(tensor.round(decimals=DECIMALS) for tensor in read if tensor is not None)
        if step.op == "batch_norm":
            weights = with_statistics(weights, self.runs.evaluated, entry, place, channels)
        weight, bias, mean, variance = map(tied, (weights.weight, weights.bias, weights.mean, weights.variance))
        return Solved(weight, bias, (), place[0], mean, variance, place=place, start=start)


def tied(tensor: Tensor | None) -> Tied | None:
    return None if tensor is None else lambda: tensor


def weights_between(step: Step, run: Graph, entry: Place, place: Place, channels: int) -> Weights | None:
    """The weights with which the operator would make what stands at one place of what stands at another; None where there are none."""
    x, y = run.numbers(entry, channels), run.numbers(place, step.shape[0])
    if step.op == "batch_norm":
        return scale_and_shift(x, y)
    weight = torch.zeros(weight_shape(step, x))
    for output, position, taps in read_at(step, x, y):
        slope = run.slope(place, entry, position, channels)
        if slope is None:
            return None
        for (i, j), (row, column) in taps.items():
            first = output // (step.shape[0] // step.groups) * weight.shape[1]
            weight[output, :, i, j] = slope[first : first + weight.shape[1], row, column]
        if not taps:
            weight[output] = slope
    bias = (y - compute(step, [x], Weights(weight), Choice(), True))[0].flatten(1)[:, 0] if step.bias else None
    return Weights(weight, bias)


def read_at(step: Step, x: Tensor, y: Tensor) -> Iterator[tuple[int, tuple[int, ...], dict[tuple[int, int], tuple[int, int]]]]:
    """Each output with the positions at which its weights are read, and the pixel of the input that each weight meets there."""
    if step.op == "linear":
        yield from ((output, (output,), {}) for output in range(step.shape[0]))
        return
    kernel, stride, padding, dilation = (pair(value) for value in (step.kernel, step.stride, step.padding or 0, step.dilation))
    sides = [
        [central(y.shape[2 + d], x.shape[2 + d], stride[d], tap * dilation[d] - padding[d]) for tap in range(kernel[d])] for d in (0, 1)
    ]
    taps: dict[tuple[int, int], dict[tuple[int, int], tuple[int, int]]] = {}
    for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
        row, column = sides[0][i], sides[1][j]
        if row is not None and column is not None:  # a weight that only meets the border stays 0
            pixel = (row * stride[0] - padding[0] + i * dilation[0], column * stride[1] - padding[1] + j * dilation[1])
            taps.setdefault((row, column), {})[i, j] = pixel
    for output, (position, met) in itertools.product(range(step.shape[0]), taps.items()):
        yield output, (output, *position), met


def pair(value: object) -> tuple[int, int]:
    one, other = value if isinstance(value, tuple) else (value, value)
    return int(one), int(other)


def central(outputs: int, inputs: int, stride: int, offset: int) -> int | None:
    """The position nearest to the middle at which a weight meets the image and no border."""
    meeting = [at for at in range(outputs) if 0 <= at * stride + offset < inputs]
    return min(meeting, key=lambda at: abs(at - outputs // 2), default=None)


def scale_and_shift(x: Tensor, y: Tensor) -> Weights:
    """Of a batch normalisation in training mode."""
    dims = [0, *range(2, x.dim())]
    normal = F.batch_norm(x, None, None, training=True, eps=NORM_EPS)
    scale = (normal * y).mean(dims) / normal.square().mean(dims)
    return Weights(scale, y.mean(dims))


def with_statistics(weights: Weights, run: Graph, entry: Place, place: Place, channels: int) -> Weights:
    """Mean and variance as well, from a run in eval mode, where that has the same places."""
    if place[0] not in run.made:
        return weights
    x, y = run.numbers(entry, channels), run.numbers(place, channels)
    if x.shape != y.shape:
        return weights
    dims = [0, *range(2, x.dim())]
    assert weights.weight is not None
    assert weights.bias is not None
    centred = x - x.mean(dims, keepdim=True)
    slope = (centred * y).mean(dims) / centred.square().mean(dims)
    mean = x.mean(dims) - (y.mean(dims) - weights.bias) / slope
    return replace(weights, mean=mean, variance=(weights.weight / slope).square() - NORM_EPS)


# ── What is known of weights without their parameters ────────────────────────────────────────────────────────────────


def are_free(found: Alignment) -> bool:
    """Whether no two of the numbers that were read off are one: where two layers share a weight, they are."""
    read = [tensor.flatten() for b in found.bindings.values() if isinstance(b, Solved) for tensor in numbers_of(b)]
    numbers = torch.cat(read).sort().values
    return bool((numbers.diff() > ALIKE * numbers.abs().max()).all())


def numbers_of(binding: Binding) -> list[Tensor]:
    return [tie() for tie in (binding.weight, binding.bias) if tie]


def slope_differs(answer: Answer, *, training: bool = True) -> bool:
    """Whether the gradients are not those of the function: the slope along a random direction is measured by the outputs alone."""
    module, images = copied(answer.module).train(training), answer.images.clone().requires_grad_()
    leaves = [images, *(parameter for parameter in module.parameters() if parameter.requires_grad)]
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(answer.output.shape, generator=generator)
    with AgainWithoutChance():
        gradients = torch.autograd.grad((module(images.clone()) * weights).sum(), leaves, allow_unused=True)
    directions = [torch.randn(leaf.shape, generator=generator) * leaf.detach().abs().mean() for leaf in leaves]
    told = sum((g * d).sum().item() for g, d in zip(gradients, directions, strict=True) if g is not None)
    sizes = sum((g * d).abs().sum().item() for g, d in zip(gradients, directions, strict=True) if g is not None)
    with torch.no_grad(), AgainWithoutChance():
        ends = []
        for sign in (1, -2):
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.add_(direction, alpha=sign * STEP)
            ends.append((module(images.clone()) * weights).sum().item())
    return abs((ends[0] - ends[1]) / (2 * STEP) - told) > CLOSE * (abs(told) + 0.01 * sizes)
