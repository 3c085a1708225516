"""From a paper's table to the layers a network must have: shapes, parameters and multiply-adds by arithmetic alone.

This imports neither torch nor the models, so that holding a model against it is not the model checking itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from etude.papers.facts import Layer, Network, Paper

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One operator in order of execution.

    path        where it stands, in the paper's names: "incep1.branch5x5_2"; of an operator without a name, its block
    op          conv, linear, batch_norm, relu, max_pool, avg_pool, global_avg_pool, flatten, scale, concat or add
    inputs      positions of the steps whose results it uses; -1 is the network's input
    shape       of the output, without the batch: (channels, height, width) or (features,)
    kernel, stride, padding   pixels; None where they mean nothing
    bias        whether a convolution or linear layer has one
    factor      of a scaling
    parameters  scalars that are learned, biases and normalisation included
    macs        multiply-adds of convolutions and linear layers for one image, biases not counted
    """

    path: str
    op: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: int | None = None
    stride: int | None = None
    padding: int | None = None
    bias: bool = False
    factor: float | None = None
    parameters: int = 0
    macs: int = 0


def expand(paper: Paper, network: Network) -> tuple[Step, ...]:
    """Every operator of `network`, branch by branch in the order of the table, then what joins them."""
    expansion = Expansion(paper, network.input)
    expansion.run(network.layers, -1, "", {})
    return tuple(expansion.steps)


class Expansion:
    """The steps so far. Every method takes the position of the step whose result it works on, and gives that of its own."""

    def __init__(self, paper: Paper, shape: Shape) -> None:
        self.paper, self.input = paper, shape
        self.steps: list[Step] = []

    def shape(self, position: int) -> Shape:
        return self.input if position < 0 else self.steps[position].shape

    def add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def run(self, layers: tuple[Layer, ...], position: int, scope: str, words: Mapping[str, int]) -> int:
        """One layer after the other; `words` are the arguments of the block they stand in."""
        for layer in layers:
            if layer.op == "block":
                position = self.blocks(layer, position, scope)
            else:
                position = self.add(step_of(layer, self.shape(position), position, joined(scope, layer.name), words))
        return position

    def blocks(self, layer: Layer, position: int, scope: str) -> int:
        """A block, `repeat` times."""
        for index in range(layer.repeat):
            name = layer.name if layer.repeat == 1 else f"{layer.name}.{index}"
            position = self.block(layer, position, joined(scope, name))
        return position

    def block(self, layer: Layer, position: int, path: str) -> int:
        """Every branch on the same input, the join, and what follows it."""
        block = self.paper.blocks[str(layer.block)]
        words = {"in": self.shape(position)[0], "growth_rate": layer.growth_rate or 0}
        ends = [self.run(branch.layers, position, path, words) for branch in block.branches]
        shape = self.shape(ends[0])
        if block.join == "concat":
            shape = (sum(self.shape(end)[0] for end in ends), *shape[1:])
        end = self.add(Step(path, block.join, tuple(ends), shape)) if block.join else ends[0]
        return self.run(block.after, end, path, words)


def step_of(layer: Layer, shape: Shape, position: int, path: str, words: Mapping[str, int]) -> Step:
    """A single operator on an input of that shape, which comes from the step at `position`."""
    inputs = (position,)
    if layer.op == "conv":
        assert layer.kernel is not None
        assert layer.out is not None
        out = words[layer.out] if isinstance(layer.out, str) else layer.out
        height, width = windows(layer, shape)
        weights = layer.kernel**2 * shape[0] * out
        counts = {"parameters": weights + out * layer.bias, "macs": weights * height * width}
        return Step(path, "conv", inputs, (out, height, width), layer.kernel, layer.stride, layer.padding, layer.bias, **counts)
    if layer.op == "linear":
        assert isinstance(layer.out, int)
        counts = {"parameters": (shape[0] + layer.bias) * layer.out, "macs": shape[0] * layer.out}
        return Step(path, "linear", inputs, (layer.out,), bias=layer.bias, **counts)
    if layer.op in ("max_pool", "avg_pool"):
        return Step(path, layer.op, inputs, (shape[0], *windows(layer, shape)), layer.kernel, layer.stride, layer.padding)
    if layer.op == "batch_norm":
        return Step(path, "batch_norm", inputs, shape, parameters=2 * shape[0])
    if layer.op == "flatten":
        return Step(path, "flatten", inputs, (math.prod(shape),))
    if layer.op == "global_avg_pool":
        return Step(path, "global_avg_pool", inputs, shape[:1])
    return Step(path, layer.op, inputs, shape, factor=layer.factor)


def windows(layer: Layer, shape: Shape) -> tuple[int, int]:
    """Height and width after a kernel has been moved over the input."""
    assert layer.kernel is not None
    height, width = ((side + 2 * layer.padding - layer.kernel) // layer.stride + 1 for side in shape[1:])
    return height, width


def joined(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope and name else scope or name
