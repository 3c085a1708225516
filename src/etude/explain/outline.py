"""A network as its paper draws it: one step after the other, branches beside each other, repeated blocks folded.

Works on the graph alone. The trunk of a network are the operators through which everything passes; what lies between two of
them is a block with branches.
"""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from etude.explain.nodes import Graph, Node, Shape
from etude.operator import Operator

Role = Literal["step", "branch", "join"]

WORDS = {
    "batch_norm": "BN",
    "relu": "ReLU",
    "local_response_norm": "LRN",
    "global_avg_pool": "global average pool",
    "one_minus": "1 − g",
    "flatten": "flatten",
}
WINDOWS = {"conv": "conv", "max_pool": "max pool", "avg_pool": "average pool"}
JOINS = {"add": " + ", "concat": " | ", "multiply": " · "}
FOLLOWERS = {"batch_norm", "relu", "sigmoid", "dropout", "local_response_norm", "scale", "one_minus"}
LONGEST_INLINE = 12
INPUT = -1


@dataclass(frozen=True)
class Line:
    """One line of a part: a step, a branch, or what joins the branches above it.

    shape   of what comes out; `last` that of the last repeat where the part is folded
    """

    role: Role
    text: str
    shape: Shape
    last: Shape


@dataclass(frozen=True)
class Part:
    """What stands at one place: `conv1`, a block, or `count` blocks alike from `place` to `until`.

    side  only training sees it
    """

    place: str
    lines: tuple[Line, ...]
    until: str = ""
    count: int = 1
    side: bool = False


def outline(graph: Graph) -> tuple[Part, ...]:
    """The parts of a network in order, auxiliary heads last."""
    tree = Dominators(graph)
    parts = _parts(tree, tree.trunk(graph.outputs[0], -1), -1)
    for output in graph.outputs[1:]:
        head = tree.trunk(output, -1)
        own = [node for node in head if node.index not in graph.inference]
        if own:  # an output may stand on the way to the first
            lines = [line for part in _parts(tree, own, tree.parent[own[0].index]) for line in part.lines]
            parts.append(Part(_common_path([node.path for node in own]), tuple(lines), side=True))
    return tuple(_folded(parts))


def stages(graph: Graph) -> tuple[tuple[str, tuple[Node, ...]], ...]:
    """The operators stage by stage, in order.

    A stage is a module of the outermost level, with the activations that follow it; where one module holds nearly all, its own modules
    are the stages. An operator outside of all modules stands for itself.
    """
    tops = [node.path.split(".")[0] for node in graph.nodes]
    wrappers = {top for top in set(tops) if top and tops.count(top) > 0.9 * len(tops)}
    blocks = {top for node, top in zip(graph.nodes, tops, strict=True) if "." in node.path and node.op not in FOLLOWERS} - wrappers
    found: list[tuple[str, list[Node]]] = []
    for node, top in zip(graph.nodes, tops, strict=True):
        place = ".".join(node.path.split(".")[:2]) if top in wrappers else top
        follows = node.op in FOLLOWERS and place not in blocks
        if found and (follows or place == found[-1][0]):
            found[-1][1].append(node)
        else:
            found.append((place or label(node), [node]))
    return tuple((place, tuple(nodes)) for place, nodes in found)


class Dominators:
    """Through which operators every way to an operator passes; -1 is the input. `blocks`: modules that hold more than activations."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.blocks = {parent for node in graph.nodes if node.op not in FOLLOWERS for parent in _parents(node.path)}
        self.parent: list[int] = []
        self.depth = {-1: 0}
        for node in graph.nodes:
            self.parent.append(self.common(node.inputs))
            self.depth[node.index] = self.depth[self.parent[-1]] + 1

    def common(self, indices: Sequence[int]) -> int:
        """The last operator through which the ways to all of `indices` pass."""
        first, *rest = indices
        for other in rest:
            while first != other:
                if self.depth[first] < self.depth[other]:
                    first, other = other, first
                first = self.parent[first]
        return first

    def trunk(self, index: int, start: int) -> list[Node]:
        """The operators that every way from `start` to `index` passes, `index` included and `start` not."""
        found = []
        while index not in (start, -1):
            found.append(self.nodes[index])
            index = self.parent[index]
        return found[::-1]

    def place(self, node: Node) -> str:
        """The block an operator stands in; a layer at the top stands for itself."""
        if node.path in self.blocks:
            return node.path
        return node.path.rpartition(".")[0] or node.path


def layers_between(nodes: Sequence[Node], layers: Container[int], start: int, end: int) -> int:
    """The most layers, given by their indices, on one way from the result of `start` to that of `end`."""
    longest = {start: 0}
    for node in nodes[start + 1 : end + 1]:
        if ways := [longest[index] for index in node.inputs if index in longest]:
            longest[node.index] = max(ways) + (node.index in layers)
    return longest[end]


def _parts(tree: Dominators, trunk: list[Node], start: int) -> list[Part]:
    parts: list[Part] = []
    for node in trunk:
        lines, place = _lines(tree, node, start), _place(tree, node, start)
        start = node.index
        last = parts[-1] if parts else None
        if last and place and last.place.startswith(f"{place}."):
            parts[-1] = Part(place, (*last.lines, *lines))
        elif last and node.op in FOLLOWERS and _belongs(place, last.place, tree):
            parts[-1] = replace(last, lines=(*last.lines[:-1], _followed(last.lines[-1], lines[0])))
        elif last and place and place == last.place:
            parts[-1] = replace(last, lines=(*last.lines, *lines))
        else:
            parts.append(Part(place, lines))
    return parts


def _lines(tree: Dominators, node: Node, start: int) -> tuple[Line, ...]:
    """A step, or a line for every branch since `start` and one for their join."""
    if len(node.inputs) < 2:
        return (Line("step", label(node), node.shape, node.shape),)
    branches = []
    for index in node.inputs:
        shape = tree.nodes[index].shape if index >= 0 else node.shape
        branches.append(Line("branch", chain(tree, index, start) or ("input" if node.op == "concat" else "identity"), shape, shape))
    return (*branches, Line("join", label(node), node.shape, node.shape))


def _place(tree: Dominators, node: Node, start: int) -> str:
    """The innermost module that holds everything between `start` and `node`."""
    if len(node.inputs) < 2:
        return tree.place(node)
    return _common_path([tree.nodes[index].path for index in _between(tree, node, start)])


def _between(tree: Dominators, node: Node, start: int) -> set[int]:
    """The operators on the ways from `start` to `node`, `node` included."""
    found, waiting = {node.index}, list(node.inputs)
    while waiting:
        index = waiting.pop()
        if index != start and index not in found:
            found.add(index)
            waiting += tree.nodes[index].inputs
    return found


def _common_path(paths: Sequence[str]) -> str:
    first, *rest = (path.split(".") for path in paths)
    for other in rest:
        first = first[: next((i for i, (a, b) in enumerate(zip(first, other, strict=False)) if a != b), min(len(first), len(other)))]
    return ".".join(first)


def _belongs(place: str, before: str, tree: Dominators) -> bool:
    """Whether an activation at `place` follows what stands `before`, rather than opening a block of its own."""
    within = place in ("", before) or place.startswith(f"{before}.")
    return within or ("." not in before and tree.blocks.isdisjoint({place, *_parents(place)}))


def _followed(line: Line, follower: Line) -> Line:
    return replace(line, text=f"{line.text}, {follower.text}")


def chain(tree: Dominators, index: int, start: int) -> str:
    """The operators from `start` to `index` in words; joins on the way in brackets."""
    words = []
    for node in tree.trunk(index, start):
        if len(node.inputs) < 2:
            words.append(label(node))
        else:
            inside = _between(tree, node, start)
            if len(inside) > LONGEST_INLINE:
                words.append(f"{len(inside)} operators ending in {label(node)}")
            else:
                ways = [chain(tree, way, start) or "identity" for way in node.inputs]
                join = f" {label(node)} " if node.factor is not None else JOINS.get(node.op, f" {label(node)} ")
                words.append(join.join(f"[{way}]" for way in ways))
        start = node.index
    return ", ".join(words)


def label(node: Operator) -> str:
    """An operator in a few words: "3×3 conv 64 /2"."""
    if node.op in WINDOWS:
        kernel = "×".join(map(str, node.kernel)) if isinstance(node.kernel, tuple) else f"{node.kernel}×{node.kernel}"
        words = f"{kernel} {WINDOWS[node.op]}"
        words += f" {node.shape[0]}" if node.op == "conv" else ""
        words += f" /{node.stride}" if node.stride not in (1, None) else ""
        centred = node.kernel // 2 * node.dilation if isinstance(node.kernel, int) and isinstance(node.dilation, int) else None
        words += "" if node.padding in (centred, centred if node.op == "conv" else 0) else f" pad {node.padding}"
        words += f", {node.border} pad" if node.border != "zeros" else ""
        words += f", groups {node.groups}" if node.groups != 1 else ""
        return f"{words}, dilation {node.dilation}" if node.dilation != 1 else words
    match node.op:
        case "linear":
            return f"linear {node.shape[-1]}"
        case "dropout":
            return f"dropout {node.factor:g}"
        case "scale":
            return f"× {node.factor:g}"
        case "add" if node.factor is not None:
            return f"add × {node.factor:g}"
        case "pad":
            zeros = node.padding is None or any(node.channels or ())
            return " and ".join([f"pad {node.padding}"] * (node.padding is not None) + ["zero channels"] * zeros)
        case "slice":
            return f"every {node.stride}nd pixel" if node.stride == 2 else "slice"
        case "adaptive_avg_pool":
            return f"average pool to {node.shape[-2]}×{node.shape[-1]}"
        case "other":
            return node.name.strip("_")
    return WORDS.get(node.op, node.op)


def _folded(parts: Sequence[Part]) -> list[Part]:
    """Neighbours `a.1`, `a.2`, … with the same lines as one part."""
    folded: list[Part] = []
    for part in parts:
        last = folded[-1] if folded else None
        if last and _alike(last, part):
            lines = tuple(replace(line, last=new.shape) for line, new in zip(last.lines, part.lines, strict=True))
            folded[-1] = replace(last, lines=lines, until=part.place, count=last.count + 1)
        else:
            folded.append(part)
    return folded


def _alike(one: Part, other: Part) -> bool:
    if _family(one.place) != _family(other.place) or _family(one.place) == one.place or one.side or other.side:
        return False
    return [(line.role, line.text) for line in one.lines] == [(line.role, line.text) for line in other.lines]


def _family(place: str) -> str:
    """`conv2_x.1` and `denselayer12` without their number."""
    return re.sub(r"\d+$", "", place)


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


# ── Which operators a part is made of ────────────────────────────────────────────────────────────────────────────────


def with_operators(graph: Graph) -> list[tuple[Part, list[list[Node]]]]:
    """Every part with all its operators, repeat by repeat; without those that no output needs."""
    tree, parts = Dominators(graph), outline(graph)
    heads = ([node for node in tree.trunk(output, INPUT) if node.index not in graph.inference] for output in graph.outputs[1:])
    ways = [tree.trunk(graph.outputs[0], INPUT), *filter(None, heads)]
    found, taken = list[tuple[Part, list[list[Node]]]](), set[int]()
    for own, way in zip(by_way(parts), ways, strict=True):
        for part, repeats in with_nodes(own, way):
            whole = []
            for repeat in repeats:
                needed = ancestors(graph, (node.index for node in repeat), taken)
                taken |= needed
                whole.append([graph.nodes[index] for index in sorted(needed)])
            found.append((part, whole))
    return found


def ancestors(graph: Graph, outputs: Iterable[int], without: Collection[int] = ()) -> set[int]:
    """The operators that `outputs` need, themselves included, on ways that pass none of `without`."""
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        index = waiting.pop()
        if index != INPUT and index not in needed and index not in without:
            needed.add(index)
            waiting += graph.nodes[index].inputs
    return needed


def by_way(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts of the trunk, then those of every head."""
    return [[part for part in parts if not part.side], *([part] for part in parts if part.side)]


def with_nodes(parts: Sequence[Part], way: Sequence[Node]) -> Iterator[tuple[Part, list[list[Node]]]]:
    """Every part with its operators on the way that it describes, repeat by repeat."""
    nodes = iter(way)
    for part in parts:
        yield part, [list(spelt(part, nodes)) for _ in range(part.count)]


def spelt(part: Part, nodes: Iterator[Node]) -> Iterator[Node]:
    """The operators whose labels make the lines of a part."""
    for line in part.lines:
        words: list[str] = []
        while line.role != "branch" and ", ".join(words) != line.text:
            node = next(nodes)
            words.append(label(node))
            yield node
