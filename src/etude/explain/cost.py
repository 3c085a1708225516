"""What a network costs: parameters, multiply-adds and the memory of its activations, stage by stage."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from etude.explain.graph import GraphRecorder, graph, images, on_a_copy, reason, whole_output
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import stages
from etude.shown import Shown

BYTES = 4  # float32


@dataclass(frozen=True)
class StageCost:
    """One stage; of one image.

    output      shape of what it ends with
    parameters  learned scalars
    macs        multiply-adds of convolutions and matrix products, biases not counted
    kept        bytes of activations that training keeps for the backward pass, float32; None where training raises
    side        only training sees it (an auxiliary head)
    """

    place: str
    output: Shape
    parameters: int
    macs: int
    kept: int | None
    side: bool


@dataclass(frozen=True, repr=False)
class Cost(Shown):
    """The whole, of one image.

    parameters  of the module, used or not, auxiliary heads included
    macs        of the way to the first output; `flops` counts a multiply-add as two
    kept        bytes of activations that autograd keeps in training, heads included; None where training raises
    peak        bytes of activations alive at once in inference, each freed after its last use
    unknown     why `kept` is None
    """

    input: Shape
    stages: tuple[StageCost, ...]
    parameters: int
    macs: int
    kept: int | None
    peak: int
    unknown: str = ""

    @property
    def flops(self) -> int:
        return 2 * self.macs


def cost(module: nn.Module, input_shape: Shape) -> Cost:
    """The cost of a module for one image of `input_shape` = (channels, height, width).

    Raises DoesNotRun where the module does not take it.
    """
    return cost_of(module, graph(module, input_shape))


def cost_of(module: nn.Module, measured: Graph) -> Cost:
    """The cost of a module whose graph has been taken. That it cannot be run in training mode is no error."""
    kept, unknown = None, ""
    try:
        kept = kept_for_backward(module, measured)
    except Exception as error:
        unknown = reason(error)
    staged = tuple(_stage(place, nodes, kept, measured) for place, nodes in stages(measured))
    total = None if kept is None else sum(kept.values())
    return Cost(measured.input, staged, measured.parameters, measured.macs, total, peak_of_inference(measured), unknown)


def _stage(place: str, nodes: Sequence[Node], kept: dict[int, int] | None, measured: Graph) -> StageCost:
    return StageCost(
        place,
        nodes[-1].shape,
        sum(node.parameters for node in nodes),
        sum(node.macs for node in nodes),
        None if kept is None else sum(kept.get(node.index, 0) for node in nodes),
        all(node.index not in measured.inference for node in nodes),
    )


def kept_for_backward(module: nn.Module, measured: Graph) -> dict[int, int]:
    """Bytes that autograd keeps for one image, by the operator that has them kept; parameters and buffers are not counted.

    Measured by running a copy in training mode, with two images, since batch normalisation takes no single one.
    Raises what the module raises in training mode.
    """
    kept, nodes = on_a_copy(module, measured.input, saved_in_training)
    return in_eval(kept, nodes, measured.nodes)


def saved_in_training(module: nn.Module, input_shape: Shape, device: torch.device) -> tuple[Counter[int], Sequence[Node]]:
    """Bytes kept for each of two images, by position of the operator, and the operators."""
    module.train()
    seen = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
    with torch.random.fork_rng(devices=[]), torch.device(device):
        x = images(module, 2, input_shape)
        recorder, kept = GraphRecorder(module, x), Counter[int]()

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in seen:
                seen.add(storage._cdata)
                alive.append(storage)
                kept[len(recorder.nodes)] += in_float32(storage.nbytes(), tensor.dtype) // 2
            return tensor

        alive: list[torch.UntypedStorage] = []  # an address stays unique only while its storage lives
        with recorder, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            whole_output(module)(x)
    return kept, recorder.nodes


def in_float32(size: int, dtype: torch.dtype) -> int:
    """The bytes that numbers of that type would take as float32; masks and indices stay as they are."""
    return size * 8 * BYTES // torch.finfo(dtype).bits if dtype.is_floating_point or dtype.is_complex else size


def in_eval(kept: Counter[int], training: Sequence[Node], evaluation: Sequence[Node]) -> dict[int, int]:
    """The same bytes by operator of the graph in eval mode; where training runs other operators, by the module they run in."""
    if [node.op for node in training] == [node.op for node in evaluation]:
        return dict(kept)
    first = {node.path: node.index for node in reversed(evaluation)}
    by_module = Counter[int]()
    for index, count in kept.items():
        by_module[first.get(training[min(index, len(training) - 1)].path, 0)] += count
    return dict(by_module)


def peak_of_inference(measured: Graph) -> int:
    """The most bytes of activations alive at once on the way to the first output, for one image in float32.

    A lower bound: every result is freed after its last use, and code that holds on to a variable needs more.
    """
    needed = [node for node in measured.nodes if node.index in measured.inference]
    owner = {-1: -1} | {node.index: node.index if node.memory is None else node.memory for node in measured.nodes}
    last_use = {owner[index]: node.index for node in needed for index in node.inputs}
    last_use[owner[measured.outputs[0]]] = len(measured.nodes)
    size = {node.index: BYTES * node.numbers for node in measured.nodes} | {-1: BYTES * math.prod(measured.input)}
    alive, peak = {-1}, size[-1]
    for node in needed:
        alive.add(owner[node.index])
        peak = max(peak, sum(size[index] for index in alive))
        alive = {index for index in alive if last_use.get(index, -1) > node.index}
    return peak
