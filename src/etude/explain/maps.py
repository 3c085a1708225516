"""Feature maps where a network's branches meet: what each of them brings to a concatenation or to a sum, for one batch of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from etude.explain.gradients import norm, share
from etude.explain.graph import GraphRecorder
from etude.explain.nodes import Graph, Node
from etude.explain.operators import OPERATORS, add, argument, operands
from etude.explain.outline import Dominators, layers_between
from etude.explain.recorder import Call, Function

LAYERS = ("conv", "linear")


@dataclass(frozen=True)
class Branch:
    """One of what meets.

    path    of the module that made its maps last; "" for the outermost, and for the images themselves
    layers  with weights that it has and not all others have: 0 for an identity shortcut
    share   norm of its maps over the norm of the sum; of a concatenation over that of all maps together
    maps    N×C×H×W
    """

    path: str
    layers: int
    share: float
    maps: Tensor


@dataclass(frozen=True)
class Junction:
    """Where branches meet: `path` of the module in which they do, and what comes out, before anything follows."""

    kind: Literal["concat", "add"]
    path: str
    branches: tuple[Branch, ...]
    maps: Tensor


@torch.no_grad()
def junctions(module: nn.Module, images: Tensor) -> tuple[Tensor, tuple[Junction, ...]]:
    """What the module gives for the images, and every place where maps of one size meet, in order. Runs in the mode that it is in."""
    recorder = MapRecorder(module, images)
    with recorder:
        result: Tensor = module(images)
    tree = Dominators(Graph(tuple(images.shape[1:]), tuple(recorder.nodes), (), 0))
    return result, tuple(junction(tree, *one) for one in recorder.met)


class MapRecorder(GraphRecorder):
    """A GraphRecorder that keeps what additions and concatenations of maps were given."""

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        super().__init__(module, x)
        self.given: list[tuple[int, Tensor]] = []
        self.met: list[tuple[Node, list[tuple[int, Tensor]], Tensor]] = []

    def run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.given = self.meeting(func, args, kwargs)
        return super().run(func, args, kwargs)

    def meeting(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[int, Tensor]]:
        """What was made by operators and meets here, before anything may write into it; nothing where nothing does."""
        sides: Sequence[Any] = ()
        if OPERATORS.get(func) is add:
            sides = operands(args, kwargs)
        elif func in (torch.cat, torch.concat, torch.concatenate):
            sides = argument(args, kwargs, 0, "tensors")
        if len(sides) < 2 or not all(isinstance(side, Tensor) and side.dim() == 4 for side in sides):
            return []
        found = [(origin, side.clone()) for side in sides if (origin := self.origin(side)) is not None]
        return found if len(found) == len(sides) else []

    def note(self, call: Call) -> None:
        before = len(self.nodes)
        super().note(call)
        if self.given and len(self.nodes) > before:
            self.met.append((self.nodes[-1], self.given, call.made[0].clone()))


def junction(tree: Dominators, node: Node, given: Sequence[tuple[int, Tensor]], made: Tensor) -> Junction:
    start, whole = tree.common([origin for origin, _ in given]), norm(made)
    layers = {node.index for node in tree.nodes if node.op in LAYERS}
    branches = (
        Branch(path_of(tree, at), layers_between(tree.nodes, layers, start, at), share(norm(maps), whole), maps) for at, maps in given
    )
    return Junction("add" if node.op == "add" else "concat", node.path, tuple(branches), made)


def path_of(tree: Dominators, index: int) -> str:
    return tree.nodes[index].path if index >= 0 else ""
