"""In which layer and in which column the items of a block stand, so that few lines cross."""

import itertools
from collections.abc import Iterable, Sequence

from etude.report.items import Item

Slot = tuple[int, int]  # a tensor, by its item's key, and a layer
SEARCHED = 10  # so many columns are put into the order with the fewest crossings


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
