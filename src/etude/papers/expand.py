"""From a paper's table to the layers a network must have: shapes, parameters and multiply-adds by arithmetic alone.

This imports neither torch nor the models, so that holding a model against it is not the model checking itself.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etude.errors import UsageError, nearest
from etude.operator import Operator, Shape
from etude.papers.architecture import Architecture, Block, Layer
from etude.papers.facts import Paper
from etude.papers.words import Value, value_of, words_in
from etude.wording import size

if TYPE_CHECKING:
    from torch import Tensor

Words = Mapping[str, Value]


@dataclass(frozen=True)
class Step(Operator):
    """An operator that a table asks for.

    parameters  scalars that are learned, biases and normalisation included
    macs        multiply-adds of convolutions and linear layers for one image, biases not counted
    side        only the training sees it: an auxiliary head
    at          where the paper says so: of the block it stands in, or of the table
    shares      the earlier step whose weights it uses; in no paper here
    again       computes it, where `op` does not say how: of a step taken from a run
    """

    parameters: int = 0
    macs: int = 0
    side: bool = False
    at: str = ""
    shares: int | None = None
    again: Callable[[Sequence["Tensor"]], "Tensor"] | None = None


def expand(paper: Paper, network: Architecture, /, **given: Value) -> tuple[Step, ...]:
    """Every operator of `network`, branch by branch in the order of the table, then what joins them.

    given  words that differ from the network's own, e.g. `shortcut="A"`, `classes=100`
    Raises UsageError for a word that is no option of the network, or a value that means nothing there.
    """
    source = paper.tables[network.table] if network.table else network
    words = checked(network, given, source.checks)
    expansion = Expansion(paper, network.input, source.at)
    expansion.run(source.layers, -1, "", words)
    if empty := next((step for step in expansion.steps if min(step.shape) < 1), None):
        changed = ", ".join(f"{word} = {value!r}" for word, value in given.items())
        lacks = f"{changed} leaves {empty.path} without a channel"
        if empty.shape[0] >= 1:
            lacks = f"an image of {size(network.input)} leaves {empty.path or empty.op} without a pixel"
        raise UsageError(f"{network.id}: {lacks} ({network.at})")
    if network.kind == "departs":  # the places of the table and its blocks are where the paper says something else
        return tuple(replace(step, at=network.at) for step in expansion.steps)
    return tuple(expansion.steps)


def checked(network: Architecture, given: Words, checks: Sequence[str]) -> Words:
    """All words of the network, with those `given` in place of its own.

    Raises UsageError for a word that is no option, whose value is not of its own kind, or that breaks what the table asks for.
    """
    words = network.words
    for word, value in given.items():
        if word in network.fixed:
            raise UsageError(f"{network.id}: {word} = {value!r}, expected {network.fixed[word]!r}, which is no option ({network.at})")
        if word not in network.given:
            raise UsageError(f"{network.at} has no `{word}` for {network.id}; {nearest(word, network.given)}")
        own = network.given[word]
        if not alike(value, own):
            raise UsageError(f"{network.id}: {word} = {value!r}, expected {KINDS[type(own)]} such as {own!r} ({network.at})")
        words[word] = value
    for check in checks:
        if not value_of(check, words):
            broken = ", ".join(f"{word} = {words[word]!r}" for word in sorted(words_in(check)) if word in words)
            raise UsageError(f"{network.id}: {broken}, expected {check} ({network.at})")
    return words


KINDS = {int: "a whole number of at least 1", float: "a number", bool: "true or false", str: "a word", tuple: "whole numbers of at least 1"}


def alike(value: Value, own: Value) -> bool:
    """Whether a value is of the kind of a network's own: sizes are whole numbers of at least 1, lists are as long."""
    if isinstance(own, bool) or isinstance(value, bool):
        return isinstance(own, bool) and isinstance(value, bool)
    if isinstance(own, tuple):
        return isinstance(value, tuple) and len(value) == len(own) and all(alike(one, 1) for one in value)
    if isinstance(own, int):
        return isinstance(value, int) and value >= 1
    if isinstance(own, float):
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, type(own))


class Expansion:
    """The steps so far. Every method takes the position of the step whose result it works on, and gives that of its own."""

    def __init__(self, paper: Paper, shape: Shape, at: str) -> None:
        self.paper, self.input, self.at = paper, shape, at
        self.steps: list[Step] = []
        self.side = False

    def shape(self, position: int) -> Shape:
        return self.input if position < 0 else self.steps[position].shape

    def add(self, path: str, op: str, inputs: tuple[int, ...], shape: Shape, **facts: Any) -> int:
        self.steps.append(Step(len(self.steps), op, path, inputs, shape, side=self.side, at=self.at, **facts))
        return len(self.steps) - 1

    def run(self, layers: tuple[Layer, ...], position: int, scope: str, words: Words, ends: Mapping[str, int] | None = None) -> int:
        """One layer after the other; `ends` are where the earlier branches of the block ended."""
        for layer in layers:
            here = {**words, "channels": self.shape(position)[0]}
            if layer.when is not None and not value_of(layer.when, here):
                continue
            if layer.side:
                self.side = True
                self.blocks(layer, position, scope, here)
                self.side = False
            elif layer.op == "block":
                position = self.blocks(layer, position, scope, here)
            else:
                position = self.layer(layer, position, joined(scope, layer.name), here, ends or {})
        return position

    def blocks(self, layer: Layer, position: int, scope: str, words: Words) -> int:
        """A block, `repeat` times."""
        inner = {**words, **{word: value_of(size, words) for word, size in layer.given.items()}}
        repeat = value_of(layer.repeat, words)
        for index in range(repeat):
            name = str(layer.first if layer.first and index == 0 else layer.block).format_map(inner)
            path = layer.name if layer.repeat == 1 else f"{layer.name}.{index}"
            position = self.block(self.paper.blocks[name], position, joined(scope, path), inner)
        return position

    def block(self, block: Block, position: int, path: str, words: Words) -> int:
        """Every branch, the join, and what follows it."""
        words = {**words, "in_channels": self.shape(position)[0]}
        around, self.at = self.at, block.at
        ends: dict[str, int] = {}
        for branch in block.branches:
            start = ends[branch.start] if branch.start else position
            ends[branch.name] = self.run(branch.layers, start, path, words, ends)
        joining = [ends[branch.name] for branch in block.branches if not branch.side]
        end = joining[0]
        if block.join:
            shape = self.shape(end)
            channels = sum(self.shape(one)[0] for one in joining) if block.join == "concat" else shape[0]
            end = self.add(path, block.join, tuple(joining), (channels, *shape[1:]))
        end = self.run(block.after, end, path, words, ends)
        self.at = around
        return end

    def layer(self, layer: Layer, position: int, path: str, words: Words, ends: Mapping[str, int]) -> int:
        """A single operator."""
        shape, inputs = self.shape(position), (position,)
        out, bias, kernel = int(value_of(layer.out, words) or 0), value_of(layer.bias, words), value_of(layer.kernel, words)
        stride = value_of(layer.stride, words)
        window = {"kernel": kernel, "stride": stride, "padding": value_of(layer.padding, words)}
        match layer.op:
            case "conv":
                height, width = sides(shape, **window)
                weights = kernel**2 * shape[0] * out
                counts = {"parameters": weights + out * bias, "macs": weights * height * width}
                return self.add(path, "conv", inputs, (out, height, width), bias=bias, **window, **counts)
            case "linear":
                counts = {"parameters": (shape[0] + bias) * out, "macs": shape[0] * out}
                return self.add(path, "linear", inputs, (out,), bias=bias, **counts)
            case "max_pool" | "avg_pool":
                window["ceil"] = value_of(layer.ceil, words)
                return self.add(path, layer.op, inputs, (shape[0], *sides(shape, **window)), **window)
            case "slice":
                return self.add(path, "slice", inputs, (shape[0], *(-(-side // stride) for side in shape[1:])), stride=stride)
            case "pad":
                return self.add(path, "pad", inputs, (out, *shape[1:]))
            case "adaptive_avg_pool":
                return self.add(path, "adaptive_avg_pool", inputs, (shape[0], out, out))
            case "batch_norm":
                return self.add(path, "batch_norm", inputs, shape, parameters=2 * shape[0])
            case "flatten":
                return self.add(path, "flatten", inputs, (math.prod(shape),))
            case "global_avg_pool":
                return self.add(path, "global_avg_pool", inputs, shape[:1])
            case "multiply":
                return self.add(path, "multiply", (position, ends[str(layer.by)]), shape)
            case _:
                return self.add(path, layer.op, inputs, shape, kernel=kernel, factor=value_of(layer.factor, words))


def sides(shape: Shape, kernel: int, stride: int, padding: int, ceil: bool = False) -> tuple[int, int]:
    """Height and width after a kernel has been moved over the input."""
    spare = stride - 1 if ceil else 0
    height, width = ((side + 2 * padding - kernel + spare) // stride + 1 for side in shape[1:])
    return height, width


def joined(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope and name else scope or name
