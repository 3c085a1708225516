"""Where a module leaves the paper's table, and what it does there instead, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from etude.explain.outline import FOLLOWERS, label
from etude.operator import FACTS
from etude.papers import Step
from etude.verification.align import Aligner, Alignment
from etude.verification.trace import Event, Trace

POOLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool")
JOINS = ("add", "concat", "multiply")


@dataclass(frozen=True)
class Departure:
    """place: in the paper's names; sentence: what is there, what the paper says and where."""

    place: str
    sentence: str


def departure(steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module, whose: str) -> Departure:
    """The first place where the module does something else than the table; `whose` the table is: "the paper"."""
    diagnosis = Diagnosis(steps, trace, found, module, whose)
    place, sentence = diagnosis.sentence()
    return Departure(place, f"{sentence} ({diagnosis.step.at})")


class Diagnosis:
    """The culprit: the first operator of the table whose inputs are seen in the run and whose result is not.

    step, position   the culprit and its place in the table
    events           what the module does with the culprit's inputs, and the table does not
    """

    def __init__(self, steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module, whose: str) -> None:
        self.steps, self.trace, self.found, self.whose = steps, trace, found, whose
        self.aligner = Aligner(steps, trace, module)
        self.position = self.culprit()
        self.step = steps[self.position]
        self.inputs = [place for index in self.step.inputs for place in self.places(index)]
        self.known = {place for index in range(len(found.values)) for place in self.places(index)}
        self.events = list(self.instead())

    def culprit(self) -> int:
        """Back from the operator that could not be matched to the first that the run does not have."""
        index = self.found.reached
        while unseen := [i for i in self.steps[index].inputs if i >= 0 and not self.places(i)]:
            index = unseen[0]
        return index

    def sentence(self) -> tuple[str, str]:
        """The place, and what is wrong there: the first of these that can be said."""
        joins = self.step.op in JOINS
        order = (self.extra, self.missing) if joins else (self.missing, self.extra)
        for say in (self.shared, *order, self.unit_too_many, self.unit_missing, self.other_facts, self.other_pool, self.fed):
            if said := say():
                return said
        here = f"here {name(self.events[0])}{yours(self.events[0])} follows instead" if self.events else "nothing here gives the same"
        return self.place, f"{self.place}: {self.whose} has {described(self.step)}{self.behind()}; {here}"

    # ── What can be said ─────────────────────────────────────────────────────────────────────────────────────────────

    def shared(self) -> tuple[str, str] | None:
        """The weights of an earlier operator would do."""
        if self.position != self.found.reached:
            return None
        kept, self.found.bindings = self.found.bindings, {}
        way = next(self.aligner.ways(self.position, self.found), None)
        self.found.bindings = kept
        for index, binding in kept.items():
            if way and set(binding.uses) & set(way[0].uses):
                first = self.steps[index].path
                return (
                    self.place,
                    f"{self.place} shares the weights of {first}, which are used twice; {self.whose} has a layer of its own here",
                )
        return None

    def extra(self) -> tuple[str, str] | None:
        """An operator stands in between: what the table has here comes right behind it."""
        for event in self.events:
            behind = self.followers(event)
            if event.op != self.step.op and any(self.same(self.step, after) for after in behind):
                what = f"{name(event)}{yours(event)} stands in front of {described(self.step)}"
                return self.place, f"{self.place}: {what}; {self.whose} has none there"
        return None

    def followers(self, event: Event) -> list[Event]:
        """What comes right behind an operator, and behind the activations that follow it."""
        direct = self.aligner.consumers.get(event.index, [])
        return direct + [after for follower in direct if follower.op in FOLLOWERS for after in self.followers(follower)]

    def next_steps(self, index: int) -> list[Step]:
        """What the table has right behind an operator, and behind the activations that follow it."""
        direct = [(i, step) for i, step in enumerate(self.steps) if index in step.inputs]
        return [step for _, step in direct] + [after for i, step in direct if step.op in FOLLOWERS for after in self.next_steps(i)]

    def missing(self) -> tuple[str, str] | None:
        """What the table has next comes at once."""
        after = self.next_steps(self.position)
        for event in self.events:
            for step in after:
                if self.same(step, event):
                    what = "the shortcut and its addition are" if self.step.op == "add" else f"{described(self.step)} is"
                    follows = f"{name(event)}{yours(event)} follows at once"
                    return self.place, f"{self.place}: {what} missing behind {self.name_of(self.step.inputs[-1])}; {follows}"
        return None

    def unit_missing(self) -> tuple[str, str] | None:
        """What the table has behind this block comes at once."""
        block = unit_of(self.step.path)
        for step in self.steps[self.position + 1 :]:
            if block and step.op not in ("relu", *JOINS) and not step.path.startswith(block):
                for event in self.events:
                    if self.same(step, event) and event.shape[0] == step.shape[0] and self.channels_fit(step):
                        follows = f"{name(event)}{yours(event)} follows at once"
                        return block, f"the unit {block} is missing: {follows}; {self.whose} has {self.units(block)}"
        return None

    def channels_fit(self, step: Step) -> bool:
        """Whether an operator further on takes as many channels as come in here."""
        here, there = self.step.inputs[0], step.inputs[0]
        return here >= 0 and self.steps[here].shape[0] == self.steps[there].shape[0]

    def unit_too_many(self) -> tuple[str, str] | None:
        """What the unit before begins with comes once more."""
        index = self.step.inputs[0]
        block, before = unit_of(self.step.path), unit_of(self.steps[index].path) if index >= 0 else ""
        if not before or block.split(".")[0] == before.split(".")[0]:
            return None
        begins = next(step for step in self.steps if step.path.startswith(f"{before}.") and step.op == "conv")
        for event in self.events:
            if self.same(begins, event) and not self.same(self.step, event):
                again = f"{name(event)}{yours(event)} comes once more"
                return before, f"one unit too many behind {before}: {again}; {self.whose} has {self.units(before)}"
        return None

    def units(self, block: str) -> str:
        stage = block.rpartition(".")[0]
        count = len({unit_of(step.path) for step in self.steps if step.path.startswith(f"{stage}.")})
        return f"{count} in {stage}"

    def other_facts(self) -> tuple[str, str] | None:
        """The same operator with another kernel, stride, …"""
        same = [event for event in self.events if event.op == self.step.op]
        for event in sorted(same, key=lambda event: len(list(differences(self.step, event)))):
            if found := list(differences(self.step, event)):
                have, want = (", ".join(words) for words in zip(*found, strict=True))
                return self.place, f"{self.place}{yours(event)} has {have}; {self.whose} has {want}"
        return None

    def other_pool(self) -> tuple[str, str] | None:
        for event in self.events:
            if self.step.op in POOLS and event.op in POOLS and event.op != self.step.op:
                return self.place, f"{self.place}{yours(event)} is {name(event)}; {self.whose} has {described(self.step)}"
        return None

    def fed(self) -> tuple[str, str] | None:
        """The same operator on something else."""
        if self.step.op not in ("conv", "linear"):
            return None
        matched = {binding.event for binding in self.found.bindings.values()}
        for event in self.trace.events:
            if event.index not in matched | self.known and self.same(self.step, event) and event.inputs:
                source = self.trace.events[event.inputs[0]] if event.inputs[0] >= 0 else None
                by = f"{name(source)}{yours(source)}" if source else "the image"
                return self.place, f"{self.place}{yours(event)} is fed by {by}; {self.whose} feeds it {self.name_of(self.step.inputs[0])}"
        return None

    # ── Words and places ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def place(self) -> str:
        """The culprit's path; of an operator without one, that of the layer it follows."""
        index = self.position
        while not self.steps[index].path or (index != self.position and self.steps[index].op in POOLS):
            if self.steps[index].inputs[0] < 0:
                return self.step.path
            index = self.steps[index].inputs[0]
        return self.steps[index].path

    def same(self, step: Step, event: Event) -> bool:
        """Whether an operator that ran is of the kind and has the facts that the table asks for."""
        if step.op == "global_avg_pool" and event.op == "avg_pool":
            return set(event.shape[1:]) == {1}
        return event.op == step.op and not list(differences(step, event))

    def behind(self) -> str:
        """What the culprit works on, in words."""
        if self.step.op in JOINS:
            return " of " + " and ".join(self.name_of(index) for index in self.step.inputs)
        return f" behind {self.name_of(self.step.inputs[0])}"

    def name_of(self, index: int) -> str:
        if index < 0:
            return "the image"
        step = self.steps[index]
        return f"{described(step)} of {step.path}" if step.path else described(step)

    def instead(self) -> Iterator[Event]:
        seen = self.elsewhere()
        for place in self.inputs:
            for event in self.aligner.consumers.get(place, []):
                if event.index not in self.known and event.index not in seen:
                    seen.add(event.index)
                    yield event

    def elsewhere(self) -> set[int]:
        """Events that are just what another operator of the table does with the same inputs."""
        taken: set[int] = set()
        for other in self.steps[self.position + 1 :]:
            if set(other.inputs) & set(self.step.inputs):
                events = (event for place in self.inputs for event in self.aligner.consumers.get(place, []))
                taken |= {event.index for event in events if event.index not in taken and self.same(other, event)}
        return taken

    def places(self, index: int) -> list[int]:
        """The events that made what an operator of the table gave."""
        values = [self.trace.images] if index < 0 else [value.tensor for value in self.found.values[index]]
        return [place for tensor in values for place, _ in self.trace.find(tensor)]


def differences(step: Step, event: Event) -> Iterator[tuple[str, str]]:
    """What an operator has and what the table has, fact by fact."""
    if step.op in ("conv", "linear") and event.shape[0] != step.shape[0]:
        unit = "maps" if step.op == "conv" else "features"
        yield f"{event.shape[0]} {unit}", f"{step.shape[0]}"
    for fact in FACTS:
        have, want = getattr(event, fact), getattr(step, fact)
        if have != want and not (fact == "padding" and step.op not in ("conv", *POOLS)):
            yield in_words(fact, have), in_words(fact, want)


def in_words(fact: str, value: object) -> str:
    match fact:
        case "bias":
            return "a bias" if value else "no bias"
        case "factor":
            return f"a share of {value:g}" if isinstance(value, float) else f"factor {value}"
        case "kernel":
            return f"kernel {value}×{value}" if isinstance(value, int) else f"kernel {value}"
        case _:
            return f"{fact} {value}"


def unit_of(path: str) -> str:
    """`conv3_x.1` of `conv3_x.1.conv2`: a block that is repeated; empty for anything else."""
    parts = path.split(".")
    for end, part in enumerate(parts, start=1):
        if part.isdigit():
            return ".".join(parts[:end])
    return ""


def described(step: Step) -> str:
    """An operator of the table in a few words: "3×3 conv 64 /2"."""
    return "the addition" if step.op == "add" else label(step)


def name(event: Event) -> str:
    """An operator that ran in a few words."""
    return "an addition" if event.op == "add" else label(event)


def yours(event: Event) -> str:
    """Where it stands in the module's own names."""
    return f" (your {event.path})" if event.path else ""
