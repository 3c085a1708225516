"""From a paper's table to the layers a network must have: shapes, parameters and multiply-adds by arithmetic alone.

This imports neither torch nor the models, so that holding a model against it is not the model checking itself.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from etude.papers.facts import Branch, Layer, Network, Paper

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One operator in order of execution.

    path        where it stands, in the paper's names: "incep1.branch5x5_2"; of an operator without a name, its block
    op          conv, linear, batch_norm, relu, max_pool, avg_pool, global_avg_pool, flatten, scale, concat or add
    shape       of the output, without the batch: (channels, height, width) or (features,)
    kernel, stride, padding   pixels; None where they mean nothing
    bias        whether a convolution or linear layer has one
    parameters  scalars that are learned, biases and normalisation included
    macs        multiply-adds of convolutions and linear layers for one image, biases not counted
    """

    path: str
    op: str
    shape: Shape
    kernel: int | None = None
    stride: int | None = None
    padding: int | None = None
    bias: bool = False
    parameters: int = 0
    macs: int = 0


def expand(paper: Paper, network: Network) -> tuple[Step, ...]:
    """Every operator of `network`, branch by branch in the order of the table, then what joins them."""
    return tuple(_layers(paper, network.layers, network.input, "", {}))


def _layers(paper: Paper, layers: tuple[Layer, ...], shape: Shape, scope: str, words: Mapping[str, int]) -> Iterator[Step]:
    for layer in layers:
        steps = list(_block(paper, layer, shape, scope)) if layer.op == "block" else [_step(layer, shape, scope, words)]
        yield from steps
        shape = steps[-1].shape


def _block(paper: Paper, layer: Layer, shape: Shape, scope: str) -> Iterator[Step]:
    block = paper.blocks[str(layer.block)]
    for index in range(layer.repeat):
        path = _join(scope, layer.name if layer.repeat == 1 else f"{layer.name}.{index}")
        words = {"in": shape[0], "growth_rate": layer.growth_rate or 0}
        ends = []
        for branch in block.branches:
            steps = list(_branch(paper, branch, shape, path, words))
            yield from steps
            ends.append(steps[-1].shape if steps else shape)
        shape = ends[0]
        if block.join:
            shape = (sum(end[0] for end in ends), *shape[1:]) if block.join == "concat" else shape
            yield Step(path, block.join, shape)
        yield from _layers(paper, block.after, shape, path, words)


def _branch(paper: Paper, branch: Branch, shape: Shape, scope: str, words: Mapping[str, int]) -> Iterator[Step]:
    return _layers(paper, branch.layers, shape, scope, words)


def _step(layer: Layer, shape: Shape, scope: str, words: Mapping[str, int]) -> Step:
    path = _join(scope, layer.name)
    if layer.op == "conv":
        return _conv(layer, shape, path, words)
    if layer.op == "linear":
        features, out = shape[0], int(layer.out or 0)
        return Step(path, "linear", (out,), bias=layer.bias, parameters=(features + layer.bias) * out, macs=features * out)
    if layer.op in ("max_pool", "avg_pool"):
        shape = (shape[0], *_windows(layer, shape))
        return Step(path, layer.op, shape, layer.kernel, layer.stride, layer.padding)
    if layer.op == "batch_norm":
        return Step(path, "batch_norm", shape, parameters=2 * shape[0])
    if layer.op == "flatten":
        return Step(path, "flatten", (math.prod(shape),))
    if layer.op == "global_avg_pool":
        return Step(path, "global_avg_pool", shape[:1])
    return Step(path, layer.op, shape)


def _conv(layer: Layer, shape: Shape, path: str, words: Mapping[str, int]) -> Step:
    kernel = layer.kernel or 1
    out = words[layer.out] if isinstance(layer.out, str) else int(layer.out or 0)
    height, width = _windows(layer, shape)
    weights = kernel * kernel * shape[0] * out
    parameters = weights + (out if layer.bias else 0)
    return Step(path, "conv", (out, height, width), kernel, layer.stride, layer.padding, layer.bias, parameters, weights * height * width)


def _windows(layer: Layer, shape: Shape) -> tuple[int, int]:
    kernel = layer.kernel or 1
    height, width = ((side + 2 * layer.padding - kernel) // layer.stride + 1 for side in shape[1:])
    return height, width


def _join(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope and name else scope or name
