"""A network as a list of operators. No torch: a paper's table makes the same graph as a module that has run."""

import functools
from dataclasses import dataclass

from etude.operator import Operator, Shape
from etude.shown import Shown

__all__ = ["Graph", "Node", "Shape"]


@dataclass(frozen=True)
class Node(Operator):
    """An operator of a graph.

    parameters  scalars that are learned and first used here, or in what is used here
    macs        multiply-adds for one image, biases not counted
    numbers     how many the result has for one image, whichever of its dimensions is that of the images
    memory      the node in whose memory the result lies, of a view or in place, -1 that of the input; None where it has its own
    """

    parameters: int = 0
    macs: int = 0
    numbers: int = 0
    memory: int | None = None


@dataclass(frozen=True, repr=False)
class Graph(Shown):
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
