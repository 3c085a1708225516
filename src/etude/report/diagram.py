"""A network as a picture, from its recorded graph: an SVG document, readable on a light and on a dark page.

Data flows from top to bottom along the trunk, the operators through which everything passes (`explain/outline.py`). What lies between
two of them stands in layers: every branch is a column of its own, and a tensor that is used further down runs beside the boxes as a line.
"""

import itertools
import math
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from etude.errors import UsageError, nearest
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import FOLLOWERS, Dominators, Part, label, outline

INPUT = -1
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

SCREEN = 1200.0  # pixels; a picture that would be wider is drawn with narrower boxes
SPANS = (170.0, 90.0, 0.0)  # by how much the widest box is wider than the narrowest
NARROWEST = 72.0
RADIUS, BAR, PILL, LINE, CELL = 11.0, 20.0, 22.0, 15.0, 17.0  # heights; of a circle half
SIZE_ROW, GAP, MARGIN, LANE, PAD, HEAD_GAP = 18.0, 8.0, 9.0, 6.0, 20.0, 36.0
TITLE, TEXT, SMALL = 17.0, 12.0, 10.0  # sizes of text
LABEL_WIDTH, NAME_WIDTH = 24, 32  # characters
UNFOLDED = 16  # so many repeats that grow are drawn one by one in the picture of their block
SEARCHED = 10  # so many columns are put into the order with the fewest crossings
COLOURS = 8

STYLE = """
.etude { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
  --ink: #1b1f24; --soft: #5c636d; --paper: #fdfcfa; --wire: #8a9099; --frame: #f4f2ed; --edge: #dedad1;
  --convolution: #cfe0fb; --normalisation: #fbe6bd; --activation: #f8d0cd; --pooling: #cbe8d0; --linear: #e0d3f6;
  --dropout: #c8d5de; --other: #dfdbd2;
  --b0: #2563eb; --b1: #c2410c; --b2: #15803d; --b3: #9333ea; --b4: #0e7490; --b5: #be185d; --b6: #92610a; --b7: #4f5bbd;
  --through: #6b7280; }
@media (prefers-color-scheme: dark) { .etude {
  --ink: #ebe8e2; --soft: #a3a8b0; --paper: #16181b; --wire: #7d848e; --frame: #1e2124; --edge: #363b42;
  --convolution: #244473; --normalisation: #634a14; --activation: #6b2f2d; --pooling: #245233; --linear: #49357a;
  --dropout: #41474e; --other: #363a40;
  --b0: #3d74ea; --b1: #cf5a20; --b2: #248a48; --b3: #a052ea; --b4: #1a849d; --b5: #cf3f82; --b6: #a06f12; --b7: #6570cf;
  --through: #747b86; } }
.etude text { fill: var(--ink); }
.etude .soft { fill: var(--soft); }
.etude .on { fill: #ffffff; }
.etude .strong { font-weight: 600; }
.etude .paper { fill: var(--paper); }
.etude .frame { fill: var(--frame); stroke: var(--edge); }
.etude .wire { fill: none; stroke: var(--wire); stroke-width: 1.7; stroke-linecap: round; }
.etude .aside { stroke-dasharray: 5 4; }
.etude .arrow { fill: var(--wire); }
.etude .circle, .etude .pill { fill: var(--paper); stroke: var(--ink); stroke-width: 1.4; }
"""
STYLE += "".join(f".etude .{kind} {{ fill: var(--{kind}); }}\n" for kind in KINDS)
STYLE += "".join(
    f".etude .wire.{colour} {{ stroke: var(--{colour}); }} .etude .segment.{colour}, .etude .arrow.{colour} {{ fill: var(--{colour}); }}\n"
    for colour in ("through", *(f"b{number}" for number in range(COLOURS)))
)


def diagram(graph: Graph, *, only: str = "", title: str = "") -> str:
    """The picture of a network as an SVG document.

    only   the path of a module, such as "inception_3a" or "conv2_x.0": that block alone, with what flows in and out
    title  stands above the picture
    Raises UsageError with the nearest paths where no operator runs in a module `only`.
    """
    drawn, title = block(graph, only) if only else graph, in_one_line(title)
    reading = Reading(drawn, unfold=bool(only))
    sheets = (picture(reading, span) for span in SPANS)
    sheet = next((sheet for sheet in sheets if sheet.right - sheet.left + 2 * PAD <= SCREEN), None) or picture(reading, SPANS[-1])
    return document(sheet, title, f"{title or only or 'network'}: a diagram of {len(drawn.nodes)} operators")


# ── What is drawn ────────────────────────────────────────────────────────────────────────────────────────────────────


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
    """What stands at one place of the trunk, or `count` places alike of which the first is drawn."""

    name: str
    steps: tuple[Step, ...]
    count: int = 1

    @property
    def framed(self) -> bool:
        return self.count > 1 or bool(self.name and any(inner for _, inner in self.steps))


class Reading:
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
                yield from (Group(common_path(steps), steps) for steps in drawn)
            else:
                name = f"{part.place} … {part.until.rpartition('.')[2]}" if part.count > 1 else part.place
                yield Group(name, grown(drawn[0], drawn[-1]), part.count)

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
        return Group("", (*steps, (None, self.between(self.graph.outputs, start))))


def ancestors(graph: Graph, outputs: Iterable[int]) -> set[int]:
    """The operators that `outputs` need, themselves included."""
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        index = waiting.pop()
        if index != INPUT and index not in needed:
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


# ── Layers and columns ───────────────────────────────────────────────────────────────────────────────────────────────

Slot = tuple[int, int]  # a tensor, by its operator, and a layer: where it is made, or one that it passes


class Layers:
    """What lies between two operators of a trunk, in layers from top to bottom and columns from left to right.

    start    the operator above, in layer 0; `ends` are those that are used below, in layer `depth`
    columns  slots that follow each other straight down: boxes, or the line of a tensor that passes them
    order    the numbers of the columns from left to right
    ordered  whether the lines at the end keep the order of `ends` from left to right
    """

    def __init__(self, start: int, inner: Sequence[Item], ends: Sequence[int], ordered: bool) -> None:
        self.start, self.ordered = start, ordered
        self.x = {(start, 0): 0.0}  # the middle of every slot, once that is known
        self.items = {item.key: item for item in inner}
        self.layer = {start: 0}
        for item in inner:
            self.layer[item.key] = 1 + max(self.layer[source] for source in self.sources(item.inputs))
        self.ends = self.sources(ends)
        self.depth = 1 + max(self.layer[end] for end in self.ends)
        self.last = dict.fromkeys(self.ends, self.depth)  # the layer of a tensor's last use
        for item in reversed(inner):
            for source in self.sources(item.inputs):
                self.last[source] = max(self.last.get(source, 0), self.layer[item.key])
        self.rows = [self.slots(layer) for layer in range(self.depth)]
        self.columns: list[list[Slot]] = []
        self.column: dict[Slot, int] = {}
        self.fill_columns()
        self.order = self.as_visited()
        if len(self.order) <= SEARCHED:
            self.order = self.uncrossed(self.order)

    def sources(self, inputs: Iterable[int]) -> tuple[int, ...]:
        """The tensors that are used; whatever was made further up comes from the start."""
        return tuple(dict.fromkeys(index if index in self.layer else self.start for index in inputs))

    def slots(self, layer: int) -> list[Slot]:
        """The places of a layer: first what is made there, then what passes."""
        made = [(key, layer) for key in self.items if self.layer[key] == layer]
        return made + [(key, layer) for key in self.layer if self.layer[key] < layer < self.last[key]]

    def made(self, slot: Slot) -> Item | None:
        """The item of a slot; None where a tensor only passes."""
        key, layer = slot
        return self.items[key] if self.layer[key] == layer else None

    def above(self, slot: Slot) -> list[Slot]:
        """Where the lines into a slot come from."""
        key, layer = slot
        item = self.made(slot)
        return [(source, layer - 1) for source in self.sources(item.inputs)] if item else [(key, layer - 1)]

    def fill_columns(self) -> None:
        continued: set[Slot] = set()
        for layer in range(1, self.depth):
            for slot in self.rows[layer]:
                free = [
                    before
                    for before in self.above(slot)
                    if before in self.column and before not in continued and self.may_continue(before, slot)
                ]
                if free:
                    before = max(free, key=lambda before: (self.layer[before[0]] == before[1], len(self.columns[self.column[before]])))
                    continued.add(before)
                    number = self.column[before]
                else:
                    number = len(self.columns)
                    self.columns.append([])
                self.columns[number].append(slot)
                self.column[slot] = number

    def may_continue(self, before: Slot, slot: Slot) -> bool:
        """A line keeps its column until its last use."""
        key, layer = before
        return key == slot[0] or self.layer[key] == layer or self.last[key] == slot[1]

    def learned(self, column: int) -> int:
        """The parameters of what stands in a column."""
        items = [item for slot in self.columns[column] if (item := self.made(slot))]
        return sum(node.parameters for item in items for node in item.nodes)

    def as_visited(self) -> list[int]:
        """Columns in the order in which the inputs of everything, from the end on, name them; a line before the box it comes from."""
        order: dict[int, None] = {}
        seen: set[Slot] = set()
        waiting = [(slot, False) for slot in reversed([(end, self.depth - 1) for end in self.ends])]
        while waiting:
            slot, done = waiting.pop()
            number = self.column.get(slot)
            if number is None:  # the start itself
                continue
            first = self.columns[number][0]
            if done or self.layer[first[0]] < first[1]:
                order.setdefault(number)
            if slot not in seen:
                seen.add(slot)
                waiting += [(slot, True)] * (slot == first)
                waiting += [(before, False) for before in reversed(self.above(slot))]
        return list(order)

    def uncrossed(self, order: list[int]) -> list[int]:
        """The order after moving single columns as long as fewer lines cross."""
        fewest = self.crossings(order)
        while fewest:
            moved = [
                [*rest[:to], number, *rest[to:]]
                for number in order
                for rest in [[n for n in order if n != number]]
                for to in range(len(order))
            ]
            best = min(moved, key=self.crossings)
            if self.crossings(best) >= fewest:
                break
            order, fewest = best, self.crossings(best)
        return order

    def crossings(self, order: list[int]) -> int:
        rank = {number: place for place, number in enumerate(order)}
        count = 0
        for layer in range(2, self.depth):
            lines = []
            for slot in self.rows[layer]:
                ordered = (item := self.made(slot)) is not None and item.op == "concat"
                lines += [
                    (rank[self.column[before]], rank[self.column[slot]], port * ordered) for port, before in enumerate(self.above(slot))
                ]
            count += crossed(lines)
        if self.depth > 1:
            count += crossed([(rank[self.column[end, self.depth - 1]], 0, place * self.ordered) for place, end in enumerate(self.ends)])
        return count


def crossed(lines: Sequence[tuple[int, int, int]]) -> int:
    """How many pairs of lines cross, each from a column above to a column and a port below."""
    return sum((a[0] - b[0]) * ((a[1:] > b[1:]) - (a[1:] < b[1:])) < 0 for a, b in itertools.combinations(lines, 2))


# ── The picture ──────────────────────────────────────────────────────────────────────────────────────────────────────


def picture(reading: Reading, span: float) -> "Sheet":
    """The trunk, with the heads to its right, each in the first column that is free where it leaves."""
    trunk = Column(reading, span, INPUT)
    if not reading.inputs:
        trunk.input()
    trunk.groups(reading.trunk)
    free: list[float] = []  # from where every column of heads is
    edges = [trunk.sheet.right]
    for origin, groups in reading.beside:
        y = trunk.ends[origin] + 3
        head = Column(reading, span, origin)
        head.groups(groups)
        number = next((number for number, bottom in enumerate(free) if bottom < y), len(free))
        if number == len(free):
            free.append(y)
            edges.append(edges[-1])
        x = edges[number] + HEAD_GAP - head.sheet.left
        trunk.sheet.elbow(0, y, x, y + 2 * GAP)
        trunk.sheet.paste(head.sheet, x, y + 2 * GAP)
        free[number] = y + 2 * GAP + head.sheet.bottom
        edges[number + 1 :] = [max(edge, x + head.sheet.right) for edge in edges[number + 1 :]]
    return trunk.sheet


class Place(NamedTuple):
    """Where an item stands, or a tensor passes: the middle, the width, and the slots from where lines come in."""

    item: Item | None
    x: float
    width: float
    above: list[Slot]


class Column:
    """Groups one below the other around x = 0.

    key     the operator that the next item follows
    y       from where the next item may stand
    begins  where the line out of an operator begins
    ends    where below an operator of the trunk there is room for a line to the side
    """

    def __init__(self, reading: Reading, span: float, key: int) -> None:
        self.reading, self.span, self.key = reading, span, key
        self.sheet, self.y, self.begins, self.ends = Sheet(), 0.0, {key: 0.0}, {INPUT: 0.0}
        self.widest = max((channels(node.shape) for node in reading.graph.nodes if len(node.shape) == 3), default=1)
        self.segments: dict[int, list[int]] = {}  # of a concatenation: what it is made of
        self.colour: dict[int, str] = {}  # of a tensor that is concatenated
        self.first = {item.nodes[0].index: item for item in reading.items.values()}

    def input(self) -> None:
        shape = self.reading.graph.input
        item = Item((Node(INPUT, "input", "", (), shape),), shape)
        self.draw(self.sheet, item, 0.0, 0.0, self.width(item))
        self.y = self.ends[INPUT] = self.cell(item)

    def groups(self, groups: Iterable[Group]) -> None:
        """Draw these, and at the end the line that leaves."""
        for group in groups:
            self.group(group)
        if self.begins[self.key] < self.y:
            leaving = Sheet()
            leaving.wire(0, self.begins[self.key], self.y, 0, self.y, self.y + GAP, "")
            leaving.arrow(0, self.y + GAP, "")
            self.sheet.paste(leaving)

    def group(self, group: Group) -> None:
        sheet, top = Sheet(), self.y + GAP * group.framed
        self.y = top + GAP * group.framed
        for end, inner in group.steps:
            self.step(sheet, end, inner)
        if group.framed:
            self.y += GAP / 2
            sheet.frame(top, self.y, group.count)
            self.ends[self.key] = self.y
            self.y += GAP
        if group.name:
            sheet.text(shortened(group.name), sheet.left - GAP, top + (2 if group.framed else 3) * GAP, TEXT, "end", "soft")
        if group.count > 1:
            sheet.text(f"×{group.count}", sheet.right + GAP, (top + self.y) / 2, TITLE, "start", "strong")
        self.sheet.paste(sheet)

    def step(self, sheet: "Sheet", end: Item | None, inner: tuple[Item, ...]) -> None:
        """Draw an item of the trunk, and before it what leads there."""
        layers = Layers(self.key, inner, end.inputs if end else self.reading.graph.outputs, end is not None and end.op == "concat")
        self.note_segments([item for item in (*inner, end) if item and item.op == "concat"], layers)
        self.spread(layers, end)
        for layer in range(1, layers.depth):
            slots = [(slot, layers.made(slot)) for slot in layers.rows[layer]]
            row = [Place(item, layers.x[slot], self.width(item) if item else 0.0, layers.above(slot)) for slot, item in slots]
            self.row(sheet, layers, row)
        last = [(source, layers.depth - 1) for source in layers.ends]
        if end:
            middles = [layers.x[slot] for slot in last]
            wide = 0.75 * (max(middles) - min(middles)) if end.op == "concat" else 0.0
            self.row(sheet, layers, [Place(end, 0.0, max(self.width(end), wide), last)])
            self.key = end.key
            self.ends |= {node.index: self.y for node in end.nodes}
        else:
            self.outputs(sheet, layers, last)

    def row(self, sheet: "Sheet", layers: Layers, row: Sequence[Place]) -> None:
        """Draw what stands in a layer, and the lines that lead there."""
        hops = [(slot, *port, place) for place in row for slot, port in zip(place.above, self.ports(place, layers), strict=True)]
        uses = Counter(slot for slot, *_ in hops)
        far = max(abs(layers.x[slot] - x) for slot, x, _, _ in hops)
        top = self.y + (GAP if far < 1 else 2 * GAP + min(0.1 * far, 4 * GAP))
        bottom = top + max(self.cell(place.item) if place.item else 0.0 for place in row)
        for slot, x, depth, place in hops:
            if not (self.reading.inputs and slot[0] == INPUT):
                colour = self.line_colour(slot[0], place.item)
                y = top + depth if place.item else bottom
                self.down(sheet, layers, slot, self.line_colour(slot[0], None) if uses[slot] > 1 else colour)
                sheet.wire(layers.x[slot], self.y, self.y, x, top, y, colour)
                if place.item and not place.item.joins:
                    sheet.arrow(x, y, colour)
        for place in row:
            if place.item:
                self.draw(sheet, place.item, place.x, top, place.width)
        self.y = bottom

    def down(self, sheet: "Sheet", layers: Layers, slot: Slot, colour: str) -> None:
        """The line from what stands in a slot to the end of its row."""
        if layers.layer[slot[0]] == slot[1]:
            sheet.wire(layers.x[slot], self.begins[slot[0]], self.y, layers.x[slot], self.y, self.y, colour)

    def outputs(self, sheet: "Sheet", layers: Layers, last: Sequence[Slot]) -> None:
        """The lines that leave side by side."""
        for slot in last:
            x, colour = layers.x[slot], self.line_colour(slot[0], None)
            self.down(sheet, layers, slot, colour)
            sheet.wire(x, self.y, self.y, x, self.y, self.y + GAP, colour)
            sheet.arrow(x, self.y + GAP, colour)
        self.y = self.begins[self.key] = self.y + GAP

    def spread(self, layers: Layers, end: Item | None) -> None:
        """Columns as far to the left as they go, then moved so that the trunk is at 0."""
        x: dict[int, float] = {}
        free: dict[int, float] = {}  # the right edge of what stands in a layer
        for number in layers.order:
            sides = [(slot[1], *self.sides(layers.made(slot))) for slot in layers.columns[number]]
            x[number] = max(free.get(layer, 0.0) + left for layer, left, _ in sides)
            free |= {layer: x[number] + right for layer, _, right in sides}
        last = {source: layers.column[source, layers.depth - 1] for source in layers.ends if layers.depth > 1}
        if not last:
            axis = 0.0
        elif end is None or (end.op == "concat" and layers.start not in last):
            axis = (min(x.values()) + max(x.values())) / 2
        elif end.op == "concat":  # what is kept goes straight through, what is new comes from the side
            axis = x[last[layers.start]]
        else:  # the longest way goes straight through; of several, the one that learns most
            axis = x[last[max(last, key=lambda source: (layers.layer[source], layers.learned(last[source])))]]
        layers.x |= {slot: x[number] - axis for slot, number in layers.column.items()}

    # Sizes

    def width(self, item: Item) -> float:
        """Growing with the root of the number of channels, and as wide as the words."""
        if item.op in SIGNS:
            return 2 * RADIUS
        words = [text_width(line, TEXT) + 2 * GAP for line in item.lines] if item.op != "concat" else []
        words += [len(item.followers) * (text_width(label(node), SMALL) + GAP) for node in item.followers]
        return max([NARROWEST + self.span * math.sqrt(min(1.0, channels(item.shape) / self.widest)), *words])

    def height(self, item: Item) -> float:
        if item.joins or item.op == "input":
            return BAR if item.op == "concat" else PILL
        return (len(item.lines) * LINE + GAP) * bool(item.lines) + CELL * bool(item.followers)

    def cell(self, item: Item) -> float:
        """The height with the size of what comes out below."""
        return self.height(item) + (SIZE_ROW if self.sized(item) else GAP)

    def sides(self, item: Item | None) -> tuple[float, float]:
        """How much room an item needs to the left and to the right, or a line that passes."""
        if item is None:
            return LANE, LANE
        half = self.width(item) / 2
        beside = GAP + text_width(sizes(item), SMALL) if self.sized(item) else 0.0
        beside = max(beside, half + GAP / 2 + text_width(factor(item), SMALL) if factor(item) else 0.0)
        return half + MARGIN, max(half, beside) + MARGIN

    def sized(self, item: Item) -> bool:
        """Whether the size stands below it, and not below the normalisation or activation that alone uses it."""
        users = self.reading.users[item.key]
        after = self.first.get(users[0]) if len(users) == 1 else None
        return after is None or after.op not in FOLLOWERS or after.shape != item.shape

    # Concatenation and its colours

    def note_segments(self, items: Iterable[Item], layers: Layers) -> None:
        """What concatenations are made of, and a colour for everything new in them."""
        taken = sum(index in self.colour for index in self.segments.get(self.key, ()))
        for item in items:
            self.segments[item.key] = [part for index in item.inputs for part in self.parts(index, layers)]
            for index in self.segments[item.key]:
                if index in layers.items and index not in self.colour:
                    self.colour[index] = f"b{taken % COLOURS}"
                    taken += 1

    def parts(self, index: int, layers: Layers) -> list[int]:
        """What a tensor was concatenated from, where that is drawn; else itself."""
        return self.segments.get(index, [index]) if index in layers.layer else [index]

    def size(self, index: int) -> int:
        """The number of values in a tensor."""
        return math.prod(self.shape(index)) or 1

    def shape(self, index: int) -> Shape:
        return self.reading.graph.input if index == INPUT else self.reading.graph.nodes[index].shape

    def line_colour(self, key: int, target: Item | None) -> str:
        """The colour of a line: of the segment that it ends in, if it leads to nothing else."""
        while key not in self.colour and target and not target.joins:
            key, users = target.key, self.reading.users[target.key]
            target = self.first.get(users[0]) if len(users) == 1 else None
        return self.colour.get(key, "")

    def ports(self, place: Place, layers: Layers) -> list[tuple[float, float]]:
        """Where the lines from above end: x, and how far below the top of the place."""
        item, x, sources = place.item, place.x, [layers.x[slot] for slot in place.above]
        if item and item.op in SIGNS:
            slant = RADIUS / math.sqrt(2)
            sides = [0 if abs(source - x) < 1 else math.copysign(1, source - x) for source in sources]
            return [(x + side * slant, (RADIUS - slant) * abs(side)) for side in sides]
        if item and item.op == "concat":
            return [(port, 0.0) for port in self.segment_ports(place, item, layers)]
        share = place.width / (len(sources) + 1)
        return [(x + share * (sorted(sources).index(source) + 1) - place.width / 2, 0.0) for source in sources]

    def segment_ports(self, place: Place, item: Item, layers: Layers) -> list[float]:
        """The middle of what every tensor brings into a concatenation."""
        ports: dict[int, float] = {}
        scale = place.width / sum(self.size(index) for index in self.segments[item.key])
        left = place.x - place.width / 2
        for index in item.inputs:
            wide = scale * sum(self.size(part) for part in self.parts(index, layers))
            (source,) = layers.sources([index])
            ports.setdefault(source, left + wide / 2)
            left += wide
        return list(ports.values())

    # Things

    def draw(self, sheet: "Sheet", item: Item, x: float, top: float, width: float) -> None:
        bottom = self.begins[item.key] = top + self.height(item)
        left = x - width / 2
        thing = sheet.thing(f"join {item.op}" if item.joins else "box", about(item))
        if item.op in SIGNS:
            circle(thing, x, top + RADIUS, RADIUS)
            sheet.text(SIGNS[item.op], x, top + RADIUS + 6, TITLE, "middle", "", thing)
            sheet.text(factor(item), x + RADIUS + GAP / 2, top + RADIUS + 4, SMALL, "start", "soft")
        elif item.op == "concat":
            self.draw_segments(sheet, thing, item, left, top, width)
        elif item.op == "input":
            rectangle(thing, left, top, width, PILL, "pill", PILL / 2)
            sheet.text("input", x, top + PILL / 2 + 4, TEXT, "middle", "", thing)
        else:
            self.draw_operators(sheet, thing, item, left, top, width)
        sheet.cover(left, top, left + width, bottom)
        if self.sized(item):
            sheet.text(sizes(item), x + 6, bottom + 12, SMALL, "start", "soft")

    def draw_operators(self, sheet: "Sheet", thing: Element, item: Item, left: float, top: float, width: float) -> None:
        if item.lines:
            rectangle(thing, left, top, width, len(item.lines) * LINE + GAP, sheet.kind(item.nodes[0]))
            for number, line in enumerate(item.lines):
                sheet.text(line, left + width / 2, top + GAP / 2 + LINE * number + 12, TEXT, "middle", "", thing)
            top += len(item.lines) * LINE + GAP
        cell = width / max(1, len(item.followers))
        for number, node in enumerate(item.followers):
            rectangle(thing, left + number * cell, top, cell, CELL, sheet.kind(node))
            sheet.text(label(node), left + (number + 0.5) * cell, top + 12, SMALL, "middle", "", thing)

    def draw_segments(self, sheet: "Sheet", thing: Element, item: Item, left: float, top: float, width: float) -> None:
        """What is concatenated, every tensor as wide as its share."""
        parts = self.segments[item.key]
        total = sum(self.size(index) for index in parts)
        for index in parts:
            share = width * self.size(index) / total
            rectangle(thing, left, top, share, BAR, f"segment {self.colour.get(index, 'through')}", 0.0)
            words = str(channels(self.shape(index)))
            if text_width(words, SMALL) + 4 <= share:
                sheet.text(words, left + share / 2, top + BAR / 2 + 4, SMALL, "middle", "on", thing)
            left += share


class Sheet:
    """A piece of a picture as elements of SVG: frames below, lines, then boxes and text; and the room that they take."""

    def __init__(self) -> None:
        self.frames, self.things = Element("g"), Element("g")
        self.lines: dict[str, Element] = {}  # by what they draw: one that several share is drawn once
        self.kinds: set[str] = set()
        self.left = self.right = self.bottom = 0.0

    def cover(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.right = min(self.left, left), max(self.right, right)
        self.bottom = max(self.bottom, bottom)

    def paste(self, other: "Sheet", dx: float = 0.0, dy: float = 0.0) -> None:
        """Put another sheet on top, moved."""
        group = SubElement(self.things, "g", {"transform": f"translate({px(dx)} {px(dy)})"} if dx or dy else {})
        group.extend((*other.frames, *other.lines.values(), *other.things))
        self.cover(other.left + dx, dy, other.right + dx, other.bottom + dy)
        self.kinds |= other.kinds

    def kind(self, node: Node) -> str:
        self.kinds.add(kind_of(node))
        return kind_of(node)

    def thing(self, name: str, about: str) -> Element:
        thing = SubElement(self.things, "g", {"class": name})
        SubElement(thing, "title").text = about
        return thing

    def text(self, words: str, x: float, y: float, size: float, anchor: str, style: str = "", parent: Element | None = None) -> None:
        if not words:
            return
        attributes = {"x": px(x), "y": px(y), "font-size": px(size), "text-anchor": anchor} | ({"class": style} if style else {})
        SubElement(self.things if parent is None else parent, "text", attributes).text = words
        width = text_width(words, size, strong=style == "strong")
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        self.cover(left, y - size, left + width, y + size / 3)

    def frame(self, top: float, bottom: float, count: int) -> None:
        """A frame around everything on this sheet; of repeats, more of them behind it."""
        left, width = self.left - GAP, self.right - self.left + 2 * GAP
        for shift in (6.0, 3.0, 0.0) if count > 1 else (0.0,):
            rectangle(self.frames, left + shift, top + shift, width, bottom - top, "frame", 6.0)
        self.cover(left, top, left + width + (6.0 if count > 1 else 0.0), bottom)

    def wire(self, x0: float, y0: float, bend: float, x1: float, unbend: float, y1: float, colour: str) -> None:
        """Down from (x0, y0), over to x1 between the heights `bend` and `unbend`, and down to y1."""
        middle = (bend + unbend) / 2
        over = f"V{px(bend)}C{px(x0)} {px(middle)} {px(x1)} {px(middle)} {px(x1)} {px(unbend)}"
        self.line(f"M{px(x0)} {px(y0)}{over if abs(x1 - x0) >= 0.05 else ''}V{px(y1)}", f"wire {colour}".strip())
        self.cover(min(x0, x1), y0, max(x0, x1), y1)

    def elbow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """To the right and then down."""
        self.line(
            f"M{px(x0)} {px(y0)}H{px(x1 - GAP)}Q{px(x1)} {px(y0)} {px(x1)} {px(y0 + GAP)}V{px(y1)}",
            "wire aside",
        )

    def line(self, path: str, style: str) -> None:
        self.lines[path] = Element("path", {"class": style, "d": path})

    def arrow(self, x: float, y: float, colour: str) -> None:
        path = f"M{px(x - 3.5)} {px(y - 6)}H{px(x + 3.5)}L{px(x)} {px(y)}Z"
        self.lines[path] = Element("path", {"class": f"arrow {colour}".strip(), "d": path})


def document(sheet: Sheet, title: str, about: str) -> str:
    """The sheet with its title above and the legend below, as text."""
    kinds = [kind for kind in KINDS if kind in sheet.kinds]
    left, right = sheet.left, max(sheet.right, sheet.left + text_width(title, TITLE, strong=True), sheet.left + 120)
    top = 0.0
    if title:
        top = -3 * GAP - TITLE
        sheet.text(title, left, top + TITLE, TITLE, "start", "strong")
    x, y = left, sheet.bottom + 3 * GAP
    for kind in kinds:
        wide = 18 + text_width(kind, SMALL + 1)
        if x > left and x + wide > right:
            x, y = left, y + LINE + 3
        rectangle(sheet.things, x, y, 12, 12, kind)
        sheet.text(kind, x + 18, y + 10, SMALL + 1, "start", "soft")
        x += wide + 2 * GAP
    left, top, right, bottom = left - PAD, top - PAD, max(right, sheet.right) + PAD, (y + LINE if kinds else sheet.bottom) + PAD
    box = (left, top, right - left, bottom - top)
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "etude", "viewBox": " ".join(map(px, box)), "width": "100%"})
    root.attrib |= {"style": f"max-width: {px(box[2])}px", "role": "img", "aria-label": printable(about)}
    SubElement(root, "style").text = STYLE
    rectangle(root, *box, "paper", 0.0)
    root.extend((*sheet.frames, *sheet.lines.values(), *sheet.things))
    for element in root.iter():
        if element.tag != "style" and element.text:
            element.text = printable(element.text)
    return ElementTree.tostring(root, encoding="unicode")


def rectangle(parent: Element, x: float, y: float, width: float, height: float, style: str, radius: float = 2.5) -> None:
    size = {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}
    SubElement(parent, "rect", size | ({"rx": px(radius)} if radius else {}) | {"class": style})


def circle(parent: Element, x: float, y: float, radius: float) -> None:
    SubElement(parent, "circle", {"cx": px(x), "cy": px(y), "r": px(radius), "class": "circle"})


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def px(value: float) -> str:
    return f"{round(value, 2) + 0.0:.10g}"


def printable(text: str) -> str:
    """The text without what XML has no place for."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def shortened(text: str) -> str:
    """In one line; of a long text only the end."""
    text = in_one_line(text)
    return text if len(text) <= NAME_WIDTH else f"…{text[1 - NAME_WIDTH :]}"


def text_width(text: str, size: float, strong: bool = False) -> float:
    """At least as wide as any usual font without serifs makes it; DejaVu Sans is the widest."""
    size *= 1.15 if strong else 1.0
    return size * sum(
        1.05 if wide(letter) else 0.45 if letter in " .,:;|!'ijl()[]/-tfrI" else 0.82 if letter.isupper() else 0.68 for letter in text
    )


def wide(letter: str) -> bool:
    return letter in "mwMW×…—–−%@&+=<>~#" or ord(letter) > 0x2FF or unicodedata.east_asian_width(letter) in "WF"


def channels(shape: Shape) -> int:
    """Of a map its channels, else the length of its last dimension."""
    return (shape[0] if len(shape) == 3 else shape[-1]) if shape else 1


def sizes(item: Item) -> str:
    """C×H×W of what comes out; of repeats that grow, of the first and of the last."""
    first, last = item.shape, item.last
    words = "×".join(map(str, last)) or "number"
    if first == last:
        return words
    return f"{first[0] if first[1:] == last[1:] else '×'.join(map(str, first))}…{words}"


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
