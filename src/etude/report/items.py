"""What a picture of a network shows: its operators in items, its items in groups, repeated blocks folded.

The same parts as `explain/outline.py` has them in its table.
"""

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from etude.errors import UsageError, nearest
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import FOLLOWERS, INPUT, Dominators, Part, ancestors, by_way, label, outline, with_nodes
from etude.wording import sizes

KINDS = {  # operators, and what torch calls the functions of that kind which a graph keeps as "other"
    "convolution": ({"conv"}, "conv"),
    "normalisation": ({"batch_norm", "local_response_norm"}, "norm"),
    "activation": ({"relu", "sigmoid"}, "elu|silu|sigmoid|softmax|softplus|tanh|hardswish|mish|glu"),
    "pooling": ({"max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool"}, "pool"),
    "linear": ({"linear"}, "linear|matmul|bmm|einsum|attention|^mm$"),
    "dropout": ({"dropout"}, "dropout"),
    "other": (set(), ""),
}
SIGNS = {"add": "+", "multiply": "×"}
LABEL_WIDTH = 24  # characters
UNFOLDED = 16  # so many repeats that grow are drawn one by one in the picture of their block


def block(graph: Graph, path: str) -> Graph:
    """The operators within a module as a graph of their own; where several tensors flow in, each is an operator `input`."""
    inside = [node for node in graph.nodes if within(node.path, path)]
    if not inside:
        raise UsageError(f"no block `{path}` in this network; {nearest(path, paths_near(graph, path))}")
    indices = {node.index for node in inside}
    used = {index for node in graph.nodes if node.index not in indices for index in node.inputs} | set(graph.outputs)
    sources = sorted({index for node in inside for index in node.inputs} - indices)
    shapes = [graph.input if index == INPUT else graph.nodes[index].shape for index in sources]
    several = [Node(number, "input", "", (INPUT,), shape) for number, shape in enumerate(shapes)] if len(sources) > 1 else []
    renamed = {index: number if several else INPUT for number, index in enumerate(sources)}
    renamed |= {node.index: number for number, node in enumerate(inside, len(several))}
    nodes = [replace(node, index=renamed[node.index], inputs=tuple(renamed[index] for index in node.inputs)) for node in inside]
    outputs = tuple(renamed[index] for index in sorted(indices & used, reverse=True)) or (renamed[inside[-1].index],)
    return Graph(shapes[0], (*several, *nodes), outputs, sum(node.parameters for node in inside))


def within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")


def paths_near(graph: Graph, path: str) -> list[str]:
    """The paths beside the one that `path` does not find: of modules as deep, in the innermost module that is there."""
    parts = path.split(".")
    depth = next(
        depth
        for depth in range(len(parts) - 1, -1, -1)
        if depth == 0 or any(n.path.split(".")[:depth] == parts[:depth] for n in graph.nodes)
    )
    beside = (node.path.split(".") for node in graph.nodes if node.path)
    return list(dict.fromkeys(".".join(names[: depth + 1]) for names in beside if names[:depth] == parts[:depth]))


@dataclass(frozen=True)
class Item:
    """What is drawn as one thing: an operator, with the normalisation and activations that follow it.

    last  the shape of what comes out of the last repeat, where repeats are folded
    """

    nodes: tuple[Node, ...]
    last: Shape

    @property
    def key(self) -> int:
        """The operator whose result it gives."""
        return self.nodes[-1].index

    @property
    def op(self) -> str:
        return self.nodes[0].op

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.nodes[0].inputs

    @property
    def shape(self) -> Shape:
        return self.nodes[-1].shape

    @property
    def joins(self) -> bool:
        return self.op == "concat" or self.op in SIGNS

    @property
    def lines(self) -> list[str]:
        """The label, without what follows; nothing where it is all normalisation and activations."""
        words = label(self.nodes[0])
        return [] if self.op in FOLLOWERS else textwrap.wrap(words, LABEL_WIDTH, break_long_words=False, break_on_hyphens=False) or [words]

    @property
    def followers(self) -> tuple[Node, ...]:
        return self.nodes[self.op not in FOLLOWERS :]


Step = tuple[Item | None, tuple[Item, ...]]  # an item that everything passes, None for the outputs together; and what leads to it


@dataclass(frozen=True)
class Group:
    """What stands at one place of the trunk, or `count` places alike of which the first is drawn.

    place  the path of that place; "" where it has none
    """

    name: str
    place: str
    steps: tuple[Step, ...]
    count: int = 1

    @property
    def framed(self) -> bool:
        return self.count > 1 or bool(self.name and any(inner for _, inner in self.steps))


class ItemReader:
    """A graph as groups of items.

    trunk   the groups on the way to the first output
    beside  those on the way to every other output, and the operator where they leave the trunk
    users   the operators that use an operator's result
    inputs  whether the graph has operators `input`
    """

    def __init__(self, graph: Graph, unfold: bool) -> None:
        self.graph, self.unfold = graph, unfold
        self.tree = Dominators(graph)
        self.live = ancestors(graph, graph.outputs)
        self.users: dict[int, list[int]] = {index: [] for index in (INPUT, *sorted(self.live))}
        for index in sorted(self.live):
            for source in graph.nodes[index].inputs:
                self.users[source].append(index)
        self.inputs = any(node.op == "input" for node in graph.nodes)
        self.drawn_for: dict[int, int] = {}  # of an operator in a repeat that is folded, the one in the first
        heads = self.heads()
        if heads is None:
            self.items = self.fused(set())
            self.trunk, self.beside = [self.entangled()], []
            return
        ways = [self.tree.trunk(graph.outputs[0], INPUT), *(way for _, way in heads)]
        places = [list(with_nodes(parts, way)) for parts, way in zip(by_way(outline(graph)), ways, strict=True)]
        self.items = self.fused({repeat[0].index for way in places for _, repeats in way for repeat in repeats})
        self.trunk = list(self.groups(places[0], INPUT))
        self.beside = [
            (self.drawn_for.get(origin, origin), list(self.groups(way, origin))) for (origin, _), way in zip(heads, places[1:], strict=True)
        ]

    def heads(self) -> list[tuple[int, list[Node]]] | None:
        """Where every other output leaves the trunk, and its way from there; None where one is not as simple as that."""
        found: list[tuple[int, list[Node]]] = []
        taken = set(self.graph.inference)
        trunk = {INPUT, *(node.index for node in self.tree.trunk(self.graph.outputs[0], INPUT))} - ({INPUT} if self.inputs else set())
        for output in self.graph.outputs[1:]:
            own = ancestors(self.graph, (output,)) - self.graph.inference
            origins = {source for index in own for source in self.graph.nodes[index].inputs} - own
            if own and (len(origins) > 1 or not origins <= trunk or own & taken):
                return None
            if own:  # an output may stand on the way to the first
                taken |= own
                found.append((origins.pop(), [node for node in self.tree.trunk(output, INPUT) if node.index in own]))
        return found

    def fused(self, opening: set[int]) -> dict[int, Item]:
        """The items by their keys; operators in `opening` begin one."""
        items: dict[int, Item] = {}
        for node in (self.graph.nodes[index] for index in sorted(self.live)):
            before = items.get(node.inputs[0])
            if before and node.index not in opening and self.follows(node, before):
                items[node.index] = Item((*items.pop(before.key).nodes, node), node.shape)
            else:
                items[node.index] = Item((node,), node.shape)
        return items

    def follows(self, node: Node, item: Item) -> bool:
        """Whether an operator is drawn as one with the item before it: an activation or the like that alone uses it."""
        alone = self.users[item.key] == [node.index] and len(node.inputs) == 1 and item.key not in self.graph.outputs
        return alone and node.op in FOLLOWERS and not item.joins and item.op != "input"

    def groups(self, places: "Iterable[tuple[Part, list[list[Node]]]]", start: int) -> Iterator[Group]:
        for part, repeats in places:
            drawn = []
            for repeat in repeats:
                self.drawn_for |= {node.index: first.index for node, first in zip(repeat, repeats[0], strict=False)}
                drawn.append(tuple(self.steps((node.index for node in repeat), start)))
                start = repeat[-1].index
            grows = any(line.last != line.shape for line in part.lines)
            if self.unfold and grows and part.count <= UNFOLDED:
                self.drawn_for |= {node.index: node.index for repeat in repeats for node in repeat}
                yield from (Group(path, path, steps) for steps in drawn for path in [common_path(steps)])
            else:
                name = f"{part.place} … {part.until.rpartition('.')[2]}" if part.count > 1 else part.place
                yield Group(name, part.place, grown(drawn[0], drawn[-1]), part.count)

    def steps(self, trunk: Iterable[int], start: int) -> Iterator[Step]:
        for index in trunk:
            if item := self.items.get(index):
                yield item, self.between(item.inputs, start)
                start = index

    def between(self, ends: Iterable[int], start: int) -> tuple[Item, ...]:
        """The items on the ways from `start` to the operators `ends`, in order."""
        found: set[int] = set()
        waiting = list(ends)
        while waiting:
            index = waiting.pop()
            if index not in (start, INPUT) and index not in found:
                found.add(index)
                waiting += self.items[index].inputs
        return tuple(self.items[index] for index in sorted(found))

    def entangled(self) -> Group:
        """Everything in one group, the outputs side by side at its end."""
        common = self.tree.common(self.graph.outputs)
        steps = tuple(self.steps((node.index for node in self.tree.trunk(common, INPUT)), INPUT))
        start = steps[-1][0].key if steps and steps[-1][0] else INPUT
        return Group("", "", (*steps, (None, self.between(self.graph.outputs, start))))


def common_path(steps: Iterable[Step]) -> str:
    """The innermost module that holds all of these."""
    paths = [node.path.split(".") for end, inner in steps for item in (*inner, end) if item for node in item.nodes]
    same = itertools.takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))
    return ".".join(names[0] for names in same)


def grown(first: tuple[Step, ...], last: tuple[Step, ...]) -> tuple[Step, ...]:
    """The first of several repeats, with the sizes of the last."""
    items, others = (tuple(item for end, inner in steps for item in (*inner, end) if item) for steps in (first, last))
    last_of = {item: replace(item, last=other.shape) for item, other in zip(items, others, strict=False)}
    return tuple((end and last_of.get(end, end), tuple(last_of.get(item, item) for item in inner)) for end, inner in first)


def channels(shape: Shape) -> int:
    """Of a map its channels, else the length of its last dimension."""
    return (shape[0] if len(shape) > 2 else shape[-1]) if shape else 1


def sizes_of(item: Item) -> str:
    """What comes out."""
    return sizes(item.shape, item.last) or "number"


def factor(item: Item) -> str:
    """What an addition multiplies its second term by."""
    return f"× {item.nodes[0].factor:g}" if item.op == "add" and item.nodes[0].factor is not None else ""


def about(item: Item) -> str:
    """What the tooltip says: the path of every operator's module."""
    return "\n".join(f"{node.path}: {label(node)}" if node.path else label(node) for node in item.nodes)


def kind_of(node: Node) -> str:
    """A word of KINDS."""
    return next(
        (kind for kind, (ops, pattern) in KINDS.items() if node.op in ops or (node.op == "other" and re.search(pattern, node.name))),
        "other",
    )
