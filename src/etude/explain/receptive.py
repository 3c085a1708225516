"""What an output sees of the input: the theoretical receptive field of every operator. Works on the graph alone; no torch.

Rows and columns are two axes of the same arithmetic. Position i of a map sees the `size` pixels from first + i·jump on; a window of
k pixels, dilated by d, with stride s behind p pixels of padding makes of that

  size + (k − 1)·d·jump,    jump·s,    first − p·jump

The theoretical field counts pixels of the padding too, and says how far a position can see, not how much: extents, without the gaps
that strides and dilation leave, and whatever the weights are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import FOLLOWERS, stages

Pair = tuple[int, int]

WINDOWS = {"conv", "max_pool", "avg_pool"}
POINTWISE = {*FOLLOWERS, "add", "multiply", "concat"}  # local response normalisation looks along the channels only
POINTWISE_NAMES = {  # what a graph keeps as "other", and torch computes number by number
    *("add", "iadd", "radd", "sub", "isub", "rsub", "div", "truediv", "itruediv", "neg", "abs", "exp", "log", "sqrt", "pow", "clamp"),
    *("tanh", "gelu", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "prelu", "relu6", "hardtanh", "hardswish", "hardsigmoid"),
    *("softplus", "dropout2d", "contiguous", "clone"),
}


class Axis(NamedTuple):
    """Along one side of a map: position i sees `size` pixels, beginning with first + i·jump. Jump 0: all positions see the same."""

    size: int
    jump: int
    first: int

    def window(self, kernel: int, stride: int, before: int, dilation: int = 1) -> "Axis":
        """Behind a kernel, with so many pixels of padding in front."""
        return Axis(self.size + (kernel - 1) * dilation * self.jump, self.jump * stride, self.first - before * self.jump)

    def whole(self, side: int) -> "Axis":
        """What `side` positions see together."""
        return Axis(self.size + (side - 1) * self.jump, 0, self.first)


@dataclass(frozen=True)
class Field:
    """What one position of an operator's result sees of the image; pairs are (height, width), in pixels of the image.

    index   of the operator in the graph
    place   its path, or the stage that it ends
    size    of the field, padding included
    jump    how far apart the fields of neighbours are, the product of the strides; 0 where all positions see the same
    first   row and column where the first position's field begins; negative in the padding
    covers  whether the position in the middle of the map sees every pixel of the image
    bound   the field may be smaller: something on the way, such as a group normalisation, may see the whole map, or less
    """

    index: int
    place: str
    size: Pair
    jump: Pair
    first: Pair
    covers: bool
    bound: bool = False

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the middle of the first position's field; whole numbers are the middles of pixels."""
        return self.first[0] + (self.size[0] - 1) / 2, self.first[1] + (self.size[1] - 1) / 2


def receptive_fields(graph: Graph) -> tuple[Field, ...]:
    """The field of every operator, in order. What two branches see together is the smallest field that holds both."""
    seen = {-1: (Axis(1, 1, 0), Axis(1, 1, 0))}
    bound: dict[int, bool] = {-1: False}
    for node in graph.nodes:
        before = [sides(graph.nodes[index].shape if index >= 0 else graph.input) for index in node.inputs]
        rows, columns = (
            _behind(node, axis, [seen[index][axis] for index in node.inputs], [side[axis] for side in before]) for axis in (0, 1)
        )
        seen[node.index] = rows, columns
        bound[node.index] = _unsure(node, before[0]) or any(bound[index] for index in node.inputs)
    return tuple(_field(node, *seen[node.index], graph.input, bound[node.index]) for node in graph.nodes)


def stage_fields(graph: Graph) -> tuple[Field, ...]:
    """The field at the end of every stage, in order, with the stage's name as its place."""
    fields = receptive_fields(graph)
    return tuple(replace(fields[nodes[-1].index], place=place) for place, nodes in stages(graph))


def sides(shape: Shape) -> Pair:
    """Height and width of a map; features without a place are one position."""
    return (shape[1], shape[2]) if len(shape) == 3 else (1, 1)


# ── One operator, along one axis: 0 is the height, 1 the width ───────────────────────────────────────────────────────


def _behind(node: Node, axis: int, inputs: Sequence[Axis], before: Sequence[int]) -> Axis:
    """The field of an operator's result, from those of its inputs, whose maps are `before` long."""
    one, side = inputs[0], before[0]
    after = sides(node.shape)[axis]
    match node.op:
        case op if op in WINDOWS:
            kernel, dilation = _along(node.kernel, axis), _along(node.dilation, axis)
            return one.window(kernel, _along(node.stride, axis), _padding(node.padding, axis, kernel, dilation), dilation)
        case "adaptive_avg_pool" if after and side % after == 0:
            return one.window(side // after, side // after, 0)
        case "pad":
            return one.window(1, 1, _in_front(node.padding, axis))
        case "slice" if len(node.shape) == 3:
            return one.window(1, _along(node.stride, axis), -node.first[1 + axis] if node.first else 0)
    if _pointwise(node):
        return _union(inputs, before, after)
    return _union([one.whole(side) for one, side in zip(inputs, before, strict=True)], [1] * len(inputs), 1)


def _union(inputs: Sequence[Axis], before: Sequence[int], after: int) -> Axis:
    """What the branches see together; where their positions do not keep pace (a gate for the whole map), what all positions see."""
    if len({one.jump for one in inputs}) > 1 or set(before) != {after}:
        inputs = [one.whole(side) for one, side in zip(inputs, before, strict=True)]
    first = min(one.first for one in inputs)
    return Axis(max(one.first + one.size for one in inputs) - first, inputs[0].jump, first)


def _pointwise(node: Node) -> bool:
    return node.op in POINTWISE or (node.op == "other" and node.name.strip("_") in POINTWISE_NAMES)


def _unsure(node: Node, before: Pair) -> bool:
    """Whether the field of an operator is an upper bound: nobody knows what it does, or its windows differ in size."""
    if node.op == "adaptive_avg_pool":
        return any(not after or side % after for side, after in zip(before, sides(node.shape), strict=True))
    return node.op == "other" and not _pointwise(node)


def _along(value: int | Sequence[int] | None, axis: int) -> int:
    """A size of a window along one axis; a pair has one for each."""
    if isinstance(value, int) or value is None:
        return 1 if value is None else value
    return value[axis]


def _padding(padding: int | Sequence[int] | str | None, axis: int, kernel: int, dilation: int) -> int:
    """The pixels in front of a window; "same" has the odd one behind."""
    if isinstance(padding, str):
        return (kernel - 1) * dilation // 2 if padding == "same" else 0
    return _along(padding or 0, axis)


def _in_front(padding: int | Sequence[int] | str | None, axis: int) -> int:
    """The pixels above or to the left that a pad adds: torch counts left, right, top, bottom."""
    if isinstance(padding, str) or padding is None:
        return 0
    return padding if isinstance(padding, int) else (*padding, 0, 0)[2 - 2 * axis]


def _field(node: Node, rows: Axis, columns: Axis, image: Shape, bound: bool) -> Field:
    middles = [(side - 1) // 2 for side in sides(node.shape)]
    begins = [one.first + middle * one.jump for one, middle in zip((rows, columns), middles, strict=True)]
    ends = [begin + one.size for begin, one in zip(begins, (rows, columns), strict=True)]
    covers = all(begin <= 0 and end >= side for begin, end, side in zip(begins, ends, image[1:], strict=True))
    size, jump, first = zip(rows, columns, strict=True)
    return Field(node.index, node.path, size, jump, first, covers, bound)
