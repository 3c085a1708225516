"""Edits of which one thing is to be said: operators in a row, a block for another, a unit that is used twice."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from etude.verification.align import PARAMETRIC
from etude.verification.names import Names
from etude.verification.repair import JOINS, Edit, Repair, State, further


class Grouping:
    """The edits of a search, as they are to be said."""

    def __init__(self, repair: Repair, state: State, names: Names) -> None:
        self.repair, self.state, self.names = repair, state, names
        self.steps, self.events, self.blocks = repair.steps, repair.trace.events, repair.blocks

    def edits(self) -> Iterator[Edit]:
        """In order; operators in a row that stand in front of the same one are one edit."""
        last: Edit | None = None
        for edit in self.exchanged(self.state.edits):
            if last and last.kind == edit.kind == "extra" and (last.steps, last.agreed) == (edit.steps, edit.agreed):
                last = replace(last, events=(*last.events, *edit.events))
                continue
            if last and (pair := self.moved(last, edit)):
                last = pair
                continue
            if last:
                yield last
            last = edit
        if last:
            yield last

    def exchanged(self, edits: Sequence[Edit]) -> list[Edit]:
        """One unit too many in a stage where another is missing: the unit at that place is another."""
        found = list(self.used_twice(edits))
        for extra in [edit for edit in edits if edit.kind == "block extra"]:
            unit = self.names.unit_of(extra.steps[0])
            missing = (e for e in found if e.kind == "block missing" and unit and self.stage_of(e) == self.names.units(unit))
            gone = next(missing, None)
            if gone:
                first, last = self.blocks[unit if gone.steps[0] >= extra.steps[0] else self.names.block(gone.steps)]
                found[found.index(extra)] = Edit("block other", tuple(range(first, last + 1)), extra.events, extra.agreed)
                found.remove(gone)
        for edit in [edit for edit in found if edit.kind == "other" and self.steps[edit.steps[0]].op in JOINS]:
            if branch := self.other_branch(edit, [other.steps[0] for other in found if other.kind == "missing"]):
                found[found.index(edit)] = branch
                found = [other for other in found if other.kind != "missing" or other.steps[0] not in branch.steps]
        return found

    def stage_of(self, edit: Edit) -> tuple[int, str]:
        """The stage of the unit that an edit is about, and of how many."""
        return self.names.units(self.names.block(edit.steps))

    def used_twice(self, edits: Sequence[Edit]) -> Iterator[Edit]:
        """The edits; layers of one unit that all have the weights of those of another as one edit."""
        for (unit, _), group in itertools.groupby(
            edits, key=lambda e: (self.names.unit_of(e.steps[0]), further(e)) if e.kind == "shared" else ("", 0)
        ):
            alike = list(group)
            first, last = self.blocks.get(unit, (0, -1))
            weights = [index for index in range(first, last + 1) if self.steps[index].op in PARAMETRIC]
            if unit and [edit.steps[0] for edit in alike] == weights and self.names.unit_of(alike[0].steps[1]) not in ("", unit):
                yield Edit("block shared", tuple(weights), tuple(edit.events[0] for edit in alike), alike[0].agreed)
            else:
                yield from alike

    def other_branch(self, edit: Edit, missing: Sequence[int]) -> Edit | None:
        """A join of something else, where operators of its branch are missing: the branch is another."""
        join = self.events[edit.events[0]]
        ends = [i for i in self.steps[edit.steps[0]].inputs if i in missing]
        others = [
            place for place in join.inputs if place >= 0 and not any(place in self.state.at(i) for i in self.steps[edit.steps[0]].inputs)
        ]
        if join.op != self.steps[edit.steps[0]].op or len(ends) != 1 or len(others) != 1:
            return None
        way, events = ends, others
        while (before := self.steps[way[0]].inputs) and before[0] in missing:
            way = [before[0], *way]
        while len(before := self.events[events[0]].inputs) == 1 and before[0] >= 0 and not self.at_place(before[0]):
            events = [before[0], *events]
        return Edit("branch other", tuple(way), tuple(events), edit.agreed)

    def at_place(self, place: int) -> bool:
        """Whether the table has what the module made there."""
        return any(place in places for places in self.state.places)

    def moved(self, one: Edit, other: Edit) -> Edit | None:
        """Two edits as one: an operator in front of the one that it should follow; a block for another."""
        if {one.kind, other.kind} == {"block extra", "block missing"} and one.agreed == other.agreed:
            steps, events = (one.steps, other.events) if one.kind == "block missing" else (other.steps, one.events)
            return Edit("block other", steps, events, one.agreed)
        if {one.kind, other.kind} != {"extra", "missing"}:
            return None
        extra, missing = (one, other) if one.kind == "extra" else (other, one)
        index, after = missing.steps[0], self.repair.next.get(missing.steps[0], [])
        if self.events[extra.events[0]].op != self.steps[index].op or len(extra.events) > 1:
            return None
        if len(after) == 1 and self.steps[extra.steps[0]].inputs == (after[0],):
            return Edit("swapped", (index, after[0]), extra.events, one.agreed)
        if self.steps[index].inputs != (extra.steps[0],):
            return None
        return Edit("swapped", (extra.steps[0], index), extra.events, one.agreed)
