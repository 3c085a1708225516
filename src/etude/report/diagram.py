"""A network as a picture, from its recorded graph: an SVG document, readable on a light and on a dark page.

Data flows from top to bottom along the trunk, the operators through which everything passes (`explain/outline.py`). What lies between
two of them stands in layers: every branch is a column of its own, and a tensor that is used further down runs beside the boxes as a line.
For pages on which one points at it, a box names its operators by their indices (`data-nodes`), and what stands at one place its path
(`data-block`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import FOLLOWERS, INPUT, label
from etude.report.items import SIGNS, Group, Item, ItemReader, about, block, channels, factor, sizes_of
from etude.report.layers import Layers, Slot
from etude.report.sheet import (
    COLOURS,
    GAP,
    LINE,
    PAD,
    SMALL,
    TEXT,
    TITLE,
    Sheet,
    circle,
    document,
    in_one_line,
    printable,
    rectangle,
    shortened,
    text_width,
)

SCREEN = 1200.0  # pixels; a picture that would be wider is drawn with narrower boxes
SPANS = (170.0, 90.0, 0.0)  # by how much the widest box is wider than the narrowest
NARROWEST = 72.0
RADIUS, BAR, PILL, CELL = 11.0, 20.0, 22.0, 17.0  # heights; of a circle half
SIZE_ROW, MARGIN, LANE, HEAD_GAP = 18.0, 9.0, 6.0, 36.0


def diagram(graph: Graph, *, only: str = "", title: str = "") -> str:
    """The picture of a network as an SVG document.

    only   the path of a module, such as "inception_3a" or "conv2_x.0": that block alone, with what flows in and out
    title  stands above the picture
    Raises UsageError with the nearest paths where no operator runs in a module `only`.
    """
    drawn, title = block(graph, only) if only else graph, in_one_line(title)
    reading = ItemReader(drawn, unfold=bool(only))
    sheets = (picture(reading, span) for span in SPANS)
    sheet = next((sheet for sheet in sheets if sheet.right - sheet.left + 2 * PAD <= SCREEN), None) or picture(reading, SPANS[-1])
    return document(sheet, title, f"{title or only or 'network'}: a diagram of {len(drawn.nodes)} operators")


def picture(reading: ItemReader, span: float) -> "Sheet":
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

    def __init__(self, reading: ItemReader, span: float, key: int) -> None:
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
        pasted = self.sheet.paste(sheet)
        if group.place:
            pasted.set("data-block", printable(group.place))

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
        beside = GAP + text_width(sizes_of(item), SMALL) if self.sized(item) else 0.0
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
        if item.op != "input":
            thing.set("data-nodes", " ".join(str(node.index) for node in item.nodes))
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
            sheet.text(sizes_of(item), x + 6, bottom + 12, SMALL, "start", "soft")

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
