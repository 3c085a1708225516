"""A network as a list of operators. No torch: a paper's table makes the same graph as a module that has run."""

import functools
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    index       position in order of execution
    op          conv, linear, batch_norm, local_response_norm, relu, sigmoid, max_pool, avg_pool, adaptive_avg_pool,
                global_avg_pool, flatten, slice, pad, scale, one_minus, multiply, concat, add, dropout, or other
    path        of the module it ran in: "incep1.branch5x5_2"; "" for the outermost
    inputs      indices of the nodes whose results it uses; -1 is the network's input
    shape       of the output, without the batch
    kernel, stride, padding   pixels; None where they mean nothing, a pair where height and width differ
    dilation, groups   of a convolution
    bias        whether a convolution or linear layer has one
    factor      of a scaling by a number; of what an addition adds, where that is not 1; the share that a dropout removes
    first       of a slice: the first channel, row and column that it keeps
    channels    of a pad: how many channels of zeros stand in front and behind
    constants   of a batch norm (ε,); of a local response norm (α, β, k)
    parameters  scalars that are learned and first used here, or in what is used here
    macs        multiply-adds for one image, biases not counted
    name        the function of torch
    memory      the node in whose memory the result lies, of a view or in place, -1 that of the input; None where it has its own
    """

    index: int
    op: str
    path: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] | str | None = None
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = False
    factor: float | None = None
    first: tuple[int, ...] | None = None
    channels: tuple[int, int] | None = None
    constants: tuple[float, ...] = ()
    parameters: int = 0
    macs: int = 0
    name: str = ""
    memory: int | None = None


@dataclass(frozen=True)
class Graph:
    """The operators of one run, in order.

    outputs     indices of the nodes that the module returns: the logits, and of auxiliary heads theirs
    parameters  of the module, used or not
    """

    input: Shape
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    parameters: int

    @functools.cached_property
    def inference(self) -> frozenset[int]:
        """The nodes that the first output depends on; auxiliary heads are not among them."""
        needed, waiting = set(), list(self.outputs[:1])
        while waiting:
            index = waiting.pop()
            if index >= 0 and index not in needed:
                needed.add(index)
                waiting += self.nodes[index].inputs
        return frozenset(needed)

    @property
    def macs(self) -> int:
        """Multiply-adds of the way to the first output, for one image."""
        return sum(self.nodes[index].macs for index in self.inference)
