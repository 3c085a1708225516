"""Goes on behind a departure: what the module has there is taken for granted, and the table is followed from it.

A departure is an `Edit`: what the table has and what the module has in its place. Of all lists of edits, that one is looked for under which
most of the table's operators agree, by numbers, with few edits; an edit of a kind that was seen before weighs little.
"""

import contextlib
import copy
import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from etude.operator import FACTS, Operator
from etude.papers import Step
from etude.verification.align import PARAMETRIC, Aligner, Alignment, Binding, Value
from etude.verification.trace import Event, Trace

POOLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool")
JOINS = ("add", "concat", "multiply")

Kind = Literal[
    "other",
    "missing",
    "extra",
    "swapped",
    "shared",
    "fed",
    "branch missing",
    "branch other",
    "block missing",
    "block extra",
    "block other",
    "block shared",
]

# What an edit weighs against operators that agree behind it; layers that are shared are found one by one.
WEIGHTS: dict[Kind, float] = {
    "other": 8,
    "missing": 8,
    "extra": 8,
    "shared": 8,
    "swapped": 9,
    "fed": 14,
    "branch missing": 10,
    "branch other": 8,
    "block missing": 11,
    "block extra": 12,
    "block other": 15,
}
SKIPPED = 1.0  # for each operator of the table that an edit passes over without looking at it, up to MOST_SKIPPED
MOST_SKIPPED = 8
STAGE = 5.0  # of a block that holds blocks: better are those in it
AGAIN = 1.0  # of an edit like an earlier one; of one like several, so many times less
CHAINED = 2.0  # of what stands right behind another operator that the table does not have, or is missing right behind one that is
THERE = 12.0  # of what is said to be missing, where the module has something like it: a head that begins so, an end
MOST_STATES = 3000  # beside as many as there are operators
PROGRESS = 0.5
LARGE = 1 << 28  # bytes of a run; the larger it is, the fewer states there is time for
NEAR = 5  # operators between a tensor and weights that are applied to it
MOST_SHARED = 3  # layers that are tried as one that is used twice
MISFITS = (RuntimeError, IndexError)  # of sizes and dimensions that do not fit, behind other operators than the table's
AHEAD = 6  # operators that are looked at to see whether two places are alike


@dataclass(frozen=True)
class Edit:
    """One departure.

    steps   of the table, which the module has otherwise or not; of an extra, the one in front of which it stands
    events  what the module has there
    agreed  how many operators agree before it
    """

    kind: Kind
    steps: tuple[int, ...]
    events: tuple[int, ...] = ()
    agreed: int = 0


@dataclass(frozen=True)
class State:
    """The table as far as it was followed.

    values    what each operator gave; nothing for one on a branch that is missing
    places    the events that made it; none where it was not seen in the run
    agreed    how many operators were there
    """

    values: list[list[Value]]
    places: list[tuple[int, ...]]
    bindings: dict[int, Binding]
    images: list[Value]
    image_places: tuple[int, ...] = (-1,)
    edits: tuple[Edit, ...] = ()
    agreed: int = 0
    weight: float = 0

    @property
    def score(self) -> float:
        """By which the next state is chosen. What has come far is not favoured as much as it would be by all that agreed."""
        return PROGRESS * self.agreed - self.weight

    def given(self, index: int) -> list[Value]:
        return self.images if index < 0 else self.values[index]

    def seen(self, index: int) -> tuple[int, ...]:
        return self.image_places if index < 0 else self.places[index]

    def at(self, index: int) -> tuple[int, ...]:
        """The events that made what an operator gave, as far as the table was followed; before the first is the image."""
        return (-1,) if index < 0 else self.places[index] if index < len(self.places) else ()


class Repair:
    """The search for the edits, in the order of the table, best first."""

    def __init__(self, steps: Sequence[Step], trace: Trace, module: nn.Module) -> None:
        self.steps, self.trace = steps, trace
        self.aligner = Aligner(steps, trace, module)
        self.consumers = self.aligner.consumers
        self.constants = self.aligner.constants()
        self.homes: dict[str, list[str]] = {}
        for name in self.aligner.parameters:
            self.homes.setdefault(name.rpartition(".")[0], []).append(name)
        self.next: dict[int, list[int]] = {}
        for index, step in enumerate(steps):
            for before in step.inputs:
                self.next.setdefault(before, []).append(index)
        last = {before: after[-1] for before, after in self.next.items()}
        self.asked = [[i for i in range(index) if last.get(i, len(steps)) >= index] for index in range(len(steps) + 1)]
        self.found: WeakIdKeyDictionary = WeakIdKeyDictionary()  # what `sightings` says of a tensor
        self.blocks = blocks_of(steps)
        self.joins = any(step.op in JOINS for step in steps)
        self.trunk = trunk_of(trace.events)

    @torch.no_grad()
    def run(self, found: Alignment) -> State:
        """From the block in which `found` ends to the end of the table, or as far as the module can be followed."""
        waiting: list[tuple[float, int, State, Iterator[State] | None]] = []
        counter = itertools.count()

        def wait(state: State, score: float, ways: Iterator[State] | None = None) -> None:
            heapq.heappush(waiting, (-score, -next(counter), state, ways))

        reached: set[tuple[object, ...]] = set()
        best = start = self.start(found)
        wait(start, start.score)
        size = sum(tensor.nbytes for tensor in self.trace.kept)
        most = len(self.steps) + int(MOST_STATES * min(1, LARGE / (size + 1)))
        while waiting and len(reached) < most:
            _, _, state, ways = heapq.heappop(waiting)
            best = max(best, state, key=lambda one: (one.agreed - one.weight, len(one.values)))
            if len(state.values) == len(self.steps):
                if all(state.places[end] or self.steps[end].side for end in self.ends()):
                    return state
                continue
            first = ways is None
            if first and (front := self.front(state)) in reached:
                continue  # by a better list of edits
            if first:
                reached.add(front)
            ways = ways or self.ways(state)
            child = next(ways, None)
            if child is not None:
                wait(child, child.score)
                wait(state, state.score - PROGRESS / 2, ways)
            if first or (child is None and self.rivals(state)):
                unseen = child is None or (self.steps[len(state.values)].op not in PARAMETRIC and not child.places[-1])
                for edited in self.edited(state, unseen):
                    wait(edited, edited.score)
        return best

    def front(self, state: State) -> tuple[object, ...]:
        """All that the rest of the table follows from: the places of what is still asked for; of what has none, the sums of its numbers."""
        index = len(state.values)
        sums = (tuple(value.tensor.sum().item() for value in state.values[i]) for i in self.asked[index] if not state.places[i])
        return index, state.image_places, *(state.places[i] for i in self.asked[index]), *sums

    def rivals(self, state: State) -> bool:
        """Whether the module does the like of the table's next operator several times: one that fits may belong elsewhere."""
        step = self.steps[len(state.values)]
        return step.op == "conv" and sum(event.op == step.op for event in self.direct(state, step)) > 1

    def ends(self) -> Iterator[int]:
        return (index for index in range(len(self.steps)) if index not in self.next)

    def start(self, found: Alignment) -> State:
        """Everything in front of the block in which the first departure lies."""
        places = [self.found_at(values) for values in found.values[: found.reached]]
        index = next((i for i, at in enumerate(places) if not at), found.reached)
        index = min((first for first, last in self.blocks.values() if first <= index <= last), default=index)
        bindings = {at: binding for at, binding in found.bindings.items() if at < index}
        return State(list(found.values[:index]), places[:index], bindings, [Value(self.trace.images, {})], agreed=index)

    def found_at(self, values: list[Value]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(place for value in values for place, _ in self.sightings(value.tensor)))

    def sightings(self, tensor: Tensor) -> list[tuple[int, bool]]:
        """The places at which a tensor was seen, and whether with its channels in the same order and shape."""
        if tensor not in self.found:
            self.found[tensor] = [(place, self.equal(tensor, place, order)) for place, order in self.trace.find(tensor)]
        return self.found[tensor]

    def equal(self, tensor: Tensor, place: int, order: Tensor) -> bool:
        return place >= 0 and self.trace.kept[place].shape == tensor.shape and torch.equal(order, torch.arange(len(order)))

    def kept(self, value: Value) -> Value:
        """With the run's own tensor where that is the same, so that what is computed again is not kept again."""
        sightings = self.sightings(value.tensor)
        own = next((self.trace.kept[place] for place, equal in sightings if equal), value.tensor)
        self.found.setdefault(own, sightings)
        return replace(value, tensor=own)

    # ── As the table has it ──────────────────────────────────────────────────────────────────────────────────────────

    def ways(self, state: State) -> Iterator[State]:
        """The table's next operator, with weights of the module where it has any."""
        index = len(state.values)
        step, agreed = self.steps[index], state.agreed + 1
        if not all(state.given(i) for i in step.inputs):
            yield from self.without(state, step)
        elif step.op in PARAMETRIC:
            for binding, values in self.weighted(state, state.bindings):
                yield self.followed(state, values, bindings={**state.bindings, index: binding}, agreed=agreed)
        else:
            with contextlib.suppress(*MISFITS):
                alignment = self.alignment(state, state.bindings)
                tried = [self.aligner.plain(one, alignment) for one in (step, *self.as_wide(state, step))]
                seen = [value for values in tried for value in values if self.trace.has(value.tensor)]
                yield self.followed(state, seen or tried[0], agreed=agreed)

    def as_wide(self, state: State, step: Step) -> Iterator[Step]:
        """Channels of zeros in proportion to the maps that there are, where the module has other numbers of them than the table."""
        if step.op == "pad" and step.inputs[0] >= 0:
            have, wanted = state.given(step.inputs[0])[0].tensor.shape[1], self.steps[step.inputs[0]].shape[0]
            if have != wanted:
                yield replace(step, shape=(have * step.shape[0] // wanted, *step.shape[1:]))

    def weighted(self, state: State, bindings: dict[int, Binding]) -> Iterator[tuple[Binding, list[Value]]]:
        """The next operator with weights that are near and not bound."""
        index = len(state.values)
        with contextlib.suppress(*MISFITS):
            yield from self.near(state, self.steps[index]).ways(index, self.alignment(state, bindings))

    def alignment(self, state: State, bindings: dict[int, Binding]) -> Alignment:
        return Alignment(bindings, state.values, len(state.values), self.constants, state.images)

    def followed(self, state: State, values: list[Value], **changes: object) -> State:
        values = [self.kept(value) for value in values]
        return replace(state, values=[*state.values, values], places=[*state.places, self.found_at(values)], **changes)  # type: ignore[arg-type]

    def without(self, state: State, step: Step) -> Iterator[State]:
        """An operator one of whose inputs is missing: a join of the others, or nothing."""
        left = [i for i in step.inputs if state.given(i)]
        if step.op not in JOINS:
            yield self.followed(state, [])
        elif len(left) == 1:
            yield self.followed(state, state.given(left[0]))
        elif left:
            values, choices = next(self.aligner.inputs(replace(step, inputs=tuple(left)), self.alignment(state, {})), ([], {}))
            with contextlib.suppress(*MISFITS):
                yield self.followed(state, [Value(torch.cat([value.tensor for value in values], dim=1), choices)])

    def near(self, state: State, step: Step) -> Aligner:
        """An aligner that knows only the parameters that the run applies near the inputs of a step."""
        parameters: set[int] = set()
        places, steps = set(state.seen(step.inputs[0])), 0
        while places and steps < NEAR:
            events = [event for place in places for event in self.consumers.get(place, [])]
            parameters |= {id(operand) for event in events for operand in event.operands if operand is not None}
            places, steps = {event.index for event in events if not event.operands}, steps + 1
        names = {self.aligner.names[key].rpartition(".")[0] for key in parameters if key in self.aligner.names}
        if not names:
            return self.aligner
        aligner = copy.copy(self.aligner)
        aligner.parameters = {name: self.aligner.parameters[name] for home in names for name in self.homes[home]}
        return aligner

    # ── As the module has it ─────────────────────────────────────────────────────────────────────────────────────────

    def edited(self, state: State, unseen: bool) -> Iterator[State]:
        """Everything that could be otherwise at the table's next operator; `unseen` where that is not in the run."""
        index = len(state.values)
        step = self.steps[index]
        if not all(state.seen(i) for i in step.inputs):
            return
        if unseen:
            direct = self.direct(state, step)
            yield from self.shared(state, step)
            yield from self.others(state, step, direct)
            yield from self.fed(state, step, direct)
            yield from self.missing(state, step)
            yield from self.extras(state, step, direct)
            yield from self.swapped(state, step, direct)
            yield from self.branches(state, step, direct)
        starting = [name for name, (first, _) in self.blocks.items() if first == index]
        if unseen or starting or any(last in step.inputs for _, last in self.blocks.values()):
            yield from self.block_extra(state, step)
        for name in starting:
            yield from self.block_missing(state, name)
            yield from self.block_other(state, name)

    def edit(self, state: State, edit: Edit, given: Sequence[list[Value]], more: float = 0, **changes: object) -> State:
        """The state behind an edit that gives the next operators their values."""
        edit = replace(edit, agreed=state.agreed)
        weight = WEIGHTS[edit.kind] + more
        last = state.edits[-1] if state.edits else None
        if last and edit.kind == last.kind == "shared" and further(edit) == further(last):  # the next layer of a unit that is used twice
            weight = AGAIN
        behind = last and last.kind == "other" and edit.kind == "extra" and last.events[-1] in self.trace.events[edit.events[0]].inputs
        confirmed = last and (last.agreed < state.agreed or "other" in edit.kind or behind)
        times = sum(self.alike(edit, other) for other in state.edits)
        if confirmed and times:
            weight = AGAIN / times
        elif last and more < THERE and edit.kind == last.kind == "missing" and self.in_a_row(last.steps[0], edit.steps[0]):
            weight = CHAINED
        elif edit.kind == "extra" and last and last.kind == "extra" and last.events[-1] in self.trace.events[edit.events[-1]].inputs:
            weight = CHAINED * sum(one.kind == "extra" and one.agreed == state.agreed for one in state.edits)
        state = replace(state, edits=(*state.edits, edit), weight=state.weight + weight, **changes)  # type: ignore[arg-type]
        for values in given:
            state = self.followed(state, values)
        return state

    def in_a_row(self, index: int, after: int) -> bool:
        """Whether a step follows another on the way of a block; a shortcut's are missing as a branch."""
        return index in self.steps[after].inputs and self.steps[after].op not in ("slice", "pad")

    def alike(self, one: Edit, other: Edit) -> bool:
        """Whether two edits are of the same kind, wherever they stand."""
        if one.kind != other.kind:
            return False
        if one.kind == "block other":
            return self.exchanged(one) == self.exchanged(other)
        steps = [[self.steps[i].op for i in edit.steps] for edit in (one, other)]
        return steps[0] == steps[1] and self.facts(one) == self.facts(other)

    def exchanged(self, edit: Edit) -> list[list[object]]:
        """The kernels of a block, as the table and as the module has them."""
        both = [self.steps[i] for i in edit.steps], [self.trace.events[i] for i in edit.events]
        return [[conv.kernel for conv in longest_way(operators)] for operators in both]

    def facts(self, edit: Edit) -> tuple[object, ...]:
        """What tells an edit from others of its kind: the module's operators, and which facts of them are others."""
        events = [self.trace.events[i] for i in edit.events]
        if edit.kind == "other" and self.steps[edit.steps[0]].op == events[0].op:
            return tuple(differing(self.steps[edit.steps[0]], events[0]))
        return tuple((event.op, event.name if event.op == "other" else "") for event in events)

    def made(self, event: Event, step: Step | None = None) -> list[Value]:
        """What an operator of the module gave, in the rank that the table asks for."""
        tensor = self.trace.kept[event.index]
        return [Value(tensor.flatten(1) if step and len(step.shape) == 1 else tensor, {})]

    def taken(self, state: State, event: Event) -> dict[int, Binding]:
        """The bindings, with the parameters of an operator of the module among those that are used."""
        uses = tuple(id(operand) for operand in event.operands if operand is not None)
        return {**state.bindings, -2 - event.index: Binding(None, None, uses, event.index)} if uses else state.bindings

    def direct(self, state: State, step: Step) -> list[Event]:
        """What the module does with the inputs of a step, and no step before it does."""
        places = {place for i in step.inputs for place in state.seen(i)}
        known = {place for at in (state.image_places, *state.places, *(edit.events for edit in state.edits)) for place in at}
        events = {event.index: event for place in places for event in self.consumers.get(place, [])}
        return [event for index, event in sorted(events.items()) if index not in known]

    def shared(self, state: State, step: Step) -> Iterator[State]:
        """The weights of an earlier operator."""
        index = len(state.values)
        if step.op in PARAMETRIC:
            for binding, values in itertools.islice(self.weighted(state, {}), MOST_SHARED):
                first = next((at for at, other in state.bindings.items() if set(other.uses) & set(binding.uses)), index)
                if 0 <= first < index:
                    yield self.edit(state, Edit("shared", (index, first), (binding.event,)), [values])

    def others(self, state: State, step: Step, direct: list[Event]) -> Iterator[State]:
        """Another operator in its place, or the same with other facts."""
        index = len(state.values)
        later = [self.steps[i] for before in step.inputs for i in self.next[before] if i > index]
        for event in direct:
            if len(event.shape) < len(step.shape) and step.op not in POOLS:
                continue
            if event.op == step.op:
                facts = list(differing(step, event))
                more = 0.5 * len(facts) if facts != ["maps"] else -3  # which may follow from an earlier departure
                if not facts and not is_of_other_size(step, event):
                    more = 6  # the same on something else; what is in between is better said
            else:
                more = -0.5 if related(step, event) else 4
            more += 3 * any(same(other, event) for other in later)
            values = [self.made(event, step)]
            yield self.edit(state, Edit("other", (index,), (event.index,)), values, more, bindings=self.taken(state, event))

    def fed(self, state: State, step: Step, direct: list[Event]) -> Iterator[State]:
        """The same layer on something else."""
        known = {place for at in state.places for place in at} | {event.index for event in direct}
        if step.op in ("conv", "linear") or (step.side and step.op in POOLS):
            alike = (event for event in self.trace.events if event.index not in known and event.inputs and same(step, event))
            for event in itertools.islice(alike, 1):
                edit = Edit("fed", (len(state.values),), (event.index,))
                less = -6 if step.side else 0  # rather than no head at all
                yield self.edit(state, edit, [self.made(event, step)], less, bindings=self.taken(state, event))

    def missing(self, state: State, step: Step) -> Iterator[State]:
        """Nothing in its place."""
        index = len(state.values)
        ends_alike = index not in self.next and bool(self.trunk) and self.trunk[-1].op == step.op
        more = THERE if ends_alike else 2 * (step.op in ("conv", "linear"))
        for i in dict.fromkeys(step.inputs):
            yield self.edit(state, Edit("missing", (index,)), [state.given(i)], more)

    def extras(self, state: State, step: Step, direct: list[Event]) -> Iterator[State]:
        """An operator in front of it."""
        for event in direct:
            if self.leads_to(event, step.op):
                for before in dict.fromkeys(step.inputs):
                    if set(event.inputs) & set(state.seen(before)):
                        events = (event.index,) if len(event.inputs) == 1 else self.between(state, before, event)
                        if events:
                            edit = Edit("extra" if len(events) == 1 else "block extra", (len(state.values),), events)
                            yield self.inserted(state, before, event, edit)

    def inserted(self, state: State, before: int, event: Event, edit: Edit, more: float = 0) -> State:
        """From now on, what the event gave is among what the operator `before` gave."""
        also = [Value(value.tensor, state.given(before)[0].choices) for value in self.made(event)]
        bindings = self.taken(state, event)
        if before < 0:
            images = {"images": [*state.images, *also], "image_places": (*state.image_places, event.index)}
            return self.edit(state, edit, [], more, bindings=bindings, **images)
        values, places = list(state.values), list(state.places)
        values[before], places[before] = [*values[before], *also], (*places[before], event.index)
        return self.edit(state, edit, [], more, bindings=bindings, values=values, places=places)

    def leads_to(self, event: Event, op: str, steps: int = 4) -> bool:
        return steps > 0 and any(
            after.op in (op, "other") or self.leads_to(after, op, steps - 1) for after in self.consumers.get(event.index, [])
        )

    def swapped(self, state: State, step: Step, direct: list[Event]) -> Iterator[State]:
        """The next two operators in the other order."""
        index = len(state.values)
        after = self.next.get(index, [])
        if after != [index + 1] or len(step.inputs) > 1 or len(self.steps[index + 1].inputs) > 1:
            return
        for first in direct:
            for second in self.consumers.get(first.index, []):
                if same(self.steps[index + 1], first) and same(step, second):
                    edit = Edit("swapped", (index, index + 1), (first.index, second.index))
                    bindings = self.taken(replace(state, bindings=self.taken(state, first)), second)
                    yield self.edit(state, edit, [self.made(first), self.made(second)], bindings=bindings)

    def branches(self, state: State, step: Step, direct: list[Event]) -> Iterator[State]:
        """A branch of a block that is not there, so that its join is of the others; or one of other operators."""
        way = [step.index]
        while len(after := self.next.get(way[-1], [])) == 1 and self.steps[after[0]].op not in JOINS:
            way.append(after[0])
        join = self.steps[after[0]] if after else step
        first, last = self.around(step)
        if join.op not in JOINS or step.op in JOINS or not join.index <= last or step.inputs[0] >= first:
            return
        before = state.given(step.inputs[0])
        straight = any(i < step.index and state.seen(i) == state.seen(step.inputs[0]) for i in join.inputs)
        for event in direct:
            chain = [event] if event.op != join.op else []
            while chain and len(after_ := self.consumers.get(chain[-1].index, [])) == 1 and after_[0].op not in JOINS:
                chain.append(after_[0])
            ends = self.consumers.get(chain[-1].index, []) if chain else [event]
            if any(end.op == join.op for end in ends) and (chain or not straight):
                given = self.made(chain[-1]) if chain else before
                edit = Edit("branch other", tuple(way), tuple(one.index for one in chain))
                more = 3.0 * any(same(self.steps[i], event) for i in self.next[step.inputs[0]] if i > step.index)
                skipped = SKIPPED if step.op in ("slice", "pad") else 3 * SKIPPED
                more += 0.5 * abs(len(chain) - len(way)) + skipped * min(len(way), MOST_SKIPPED)
                yield self.edit(state, edit, [*[before] * (len(way) - 1), given], more)
        if all(first <= i <= last for i in join.inputs):
            yield self.edit(state, Edit("branch missing", (*way, join.index)), [[]])

    def around(self, step: Step) -> tuple[int, int]:
        """The first and the last step of the smallest block that holds a step; of one outside of all, itself."""
        own = (step.index, step.index)
        return min((block for block in self.blocks.values() if block[0] <= step.index <= block[1]), key=lambda b: b[1] - b[0], default=own)

    # ── Whole blocks ─────────────────────────────────────────────────────────────────────────────────────────────────

    def block_missing(self, state: State, name: str) -> Iterator[State]:
        first, last = self.blocks[name]
        steps = tuple(range(first, last + 1))
        before = {i for index in steps for i in self.steps[index].inputs if i < first}
        if len(before) == 1:
            head = self.steps[first].side
            more = THERE * (head and any(same(self.steps[first], event) for event in self.direct(state, self.steps[first])))
            yield self.edit(state, Edit("block missing", steps), [[] if head else state.given(min(before)) for _ in steps], more)

    def block_other(self, state: State, name: str) -> Iterator[State]:
        """Other layers, behind which the table goes on."""
        first, last = self.blocks[name]
        steps = tuple(range(first, last + 1))
        after = self.next.get(last, [])
        start = self.steps[first].inputs[0]
        if not after or self.steps[first].side:
            return
        for event in self.resuming(state, start, last):
            between = self.between(state, start, event)
            if not between:
                continue
            given = [*[state.given(start)] * (len(steps) - 1), self.made(event, self.steps[last])]
            more = SKIPPED / 2 * min(len(steps), MOST_SKIPPED) + 0.1 * len(steps)
            more += STAGE * any(other.startswith(f"{name}.") for other in self.blocks)
            yield self.edit(state, Edit("block other", steps, between), given, more)

    def block_extra(self, state: State, step: Step) -> Iterator[State]:
        """More layers, behind which the table goes on."""
        before = step.inputs[0]
        if len(step.inputs) == 1:
            for event in self.resuming(state, before, before):
                between = self.between(state, before, event)
                if len(between) > 1:
                    more = SKIPPED * max(0, len(between) - 2 * MOST_SKIPPED)
                    if self.joins and not any(self.trace.events[i].op in JOINS for i in between):  # it is no unit
                        more += SKIPPED / 2 * min(len(between), MOST_SKIPPED)
                    yield self.inserted(state, before, event, Edit("block extra", (len(state.values),), between), more)

    def resuming(self, state: State, start: int, index: int) -> list[Event]:
        """Where the module goes on as the table does behind step `index`, if it is behind the operator `start`."""
        begin = max(state.seen(start), default=-1)
        behind = [event for event in self.trunk if event.index > begin]
        alike = [(self.ahead(index, event.index, AHEAD), -event.index, event) for event in behind]
        return [event for much, _, event in sorted(alike, key=lambda one: one[:2], reverse=True)[:3] if much >= 1]

    def ahead(self, index: int, place: int, steps: int) -> int:
        """How many operators behind a step of the table are alike behind a place of the module."""
        if steps == 0:
            return 0
        pairs = ((i, event) for i in self.next.get(index, []) for event in self.consumers.get(place, []) if same(self.steps[i], event))
        return max((1 + self.ahead(i, event.index, steps - 1) for i, event in pairs), default=0)

    def between(self, state: State, start: int, event: Event) -> tuple[int, ...]:
        """The operators on the ways from what a step gave to an event; none where there are ways past it."""
        begin, waiting, found = state.seen(start), [event.index], set[int]()
        while waiting:
            index = waiting.pop()
            if index < min(begin):
                return ()
            if index not in begin and index not in found:
                found.add(index)
                waiting += self.trace.events[index].inputs
        return tuple(sorted(found))


def is_of_other_size(step: Step, event: Event) -> bool:
    """Whether an operator with weights has none that are parameters, or more or fewer than the table's."""
    if step.op not in PARAMETRIC or not event.operands or event.operands[0] is None:
        return step.op in PARAMETRIC
    return step.op == "linear" and event.operands[0].numel() != step.parameters - step.bias * step.shape[0]


def further(shared: Edit) -> int:
    """How far behind the layer whose weights it has a layer stands."""
    return shared.steps[0] - shared.steps[1]


def blocks_of(steps: Sequence[Step]) -> dict[str, tuple[int, int]]:
    """The first and the last step of everything that holds others: conv3_x, conv3_x.0, inception_3a."""
    found: dict[str, tuple[int, int]] = {}
    names = {".".join(parts[:end]) for step in steps for parts in [step.path.split(".")] for end in range(1, len(parts))}
    for index, step in enumerate(steps):
        for name in names:
            if step.path == name or step.path.startswith(f"{name}."):
                found[name] = (found.get(name, (index, index))[0], index)
    return found


def trunk_of(events: Sequence[Event]) -> list[Event]:
    """The operators through which everything passes on its way to the last."""
    if not events:
        return []
    needed, waiting = {-1}, [events[-1].index]
    last = dict.fromkeys(range(-1, len(events)), -1)
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            for before in events[index].inputs:
                last[before] = max(last[before], index)
                waiting.append(before)
    found, reach = [], last[-1]
    for event in events:
        if event.index in needed:
            if reach <= event.index:
                found.append(event)
            reach = max(reach, last[event.index])
    return found


def kernels(operators: Sequence[Operator], indices: Sequence[int]) -> list[int]:
    """Of the convolutions among some operators; 1×1 ones aside, which may be shortcuts."""
    sizes = (operators[i].kernel for i in indices if operators[i].op == "conv")
    return [size for size in sizes if isinstance(size, int) and size != 1]


def longest_way(operators: Sequence[Operator]) -> list[Operator]:
    """The convolutions on the longest way through some operators."""
    ways: dict[int, list[Operator]] = {}
    for one in operators:
        before = max((ways[i] for i in one.inputs if i in ways), key=len, default=[])
        ways[one.index] = [*before, one] if one.op == "conv" else before
    return max(ways.values(), key=len, default=[])


def differing(step: Operator, event: Operator) -> Iterator[str]:
    """The facts in which two operators of the same kind are not alike."""
    if step.op in ("conv", "linear") and event.shape[0] != step.shape[0]:
        yield "maps" if step.op == "conv" else "features"
    apart = [fact for fact in FACTS if getattr(event, fact) != getattr(step, fact)]
    if apart == ["ceil"] and event.shape == step.shape:  # no window reaches over the edge
        return
    yield from (fact for fact in apart if fact != "padding" or step.op in ("conv", *POOLS))


def same(step: Operator, event: Operator) -> bool:
    """Whether an operator that ran is of the kind and has the facts that the table asks for."""
    if step.op == "global_avg_pool" and event.op == "avg_pool":
        return set(event.shape[1:]) == {1}
    return event.op == step.op and not any(differing(step, event))


def related(step: Operator, event: Operator) -> bool:
    """Whether one could stand for the other: two pools, two activations, two joins."""
    activations = ("relu", "sigmoid", "other")
    return any(step.op in family and event.op in family for family in (POOLS, activations, JOINS))
