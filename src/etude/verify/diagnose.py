"""Where a module leaves the paper's table, and what it does there instead, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from etude.explain.nodes import Node
from etude.explain.outline import label
from etude.papers import Step
from etude.verify.align import Aligner, Alignment
from etude.verify.trace import Event, Trace

ALIKE = ({"max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool"}, {"conv", "linear"})
NAMES = {"batch_norm": "BN", "relu": "ReLU", "add": "an addition", "concat": "a concatenation", "conv": "a convolution"}
ASPECTS = ("kernel", "stride", "padding", "dilation", "groups", "bias", "factor")


@dataclass(frozen=True)
class Departure:
    """place: in the paper's names; sentence: what is there, what the paper says and where."""

    place: str
    sentence: str


def departure(steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module, whose: str) -> Departure:
    """The first place where the module does something else than the table; `whose` the table is: "the paper"."""
    diagnosis = Diagnosis(steps, trace, found, module, whose)
    step = diagnosis.culprit()
    return Departure(step.path, f"{diagnosis.sentence(step)} ({step.at})")


class Diagnosis:
    def __init__(self, steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module, whose: str) -> None:
        self.steps, self.trace, self.found, self.whose = steps, trace, found, whose
        self.aligner = Aligner(steps, trace, module)
        self.position = found.reached

    def culprit(self) -> Step:
        """Back from the operator that could not be matched to the first whose inputs are seen in the run and whose result is not."""
        index = self.found.reached
        while True:
            unseen = [i for i in self.steps[index].inputs if i >= 0 and not self.is_seen(i)]
            if not unseen:
                self.position = index
                return self.steps[index]
            index = unseen[0]

    def is_seen(self, index: int) -> bool:
        return any(self.trace.has(value.tensor) for value in self.found.values[index])

    def sentence(self, step: Step) -> str:
        events = list(self.instead())
        wanted = described(step)
        if shared := self.shared():
            return f"{step.path} uses the weights of {shared} once more; {self.whose} has {wanted} of its own here"
        same = [event for event in events if event.op == step.op]
        if step.op in ("conv", "linear", "scale", "max_pool", "avg_pool", "dropout") and same:
            event = min(same, key=lambda event: len(list(differences(step, event))))
            found = list(differences(step, event))
            if found:
                have, want = (", ".join(words) for words in zip(*found, strict=True))
                return f"{step.path}{yours(event)} has {have}; {self.whose} has {want}"
        alike = [event for event in events if any(step.op in kinds and event.op in kinds for kinds in ALIKE)]
        if alike and alike[0].op != step.op:
            return f"{step.path}{yours(alike[0])} is {article(alike[0])}; {self.whose} has {wanted}"
        if events:
            return f"{step.path}: {self.whose} has {wanted}{self.behind(step)}; here {article(events[0])}{yours(events[0])} follows instead"
        return f"{step.path}: {self.whose} has {wanted}{self.behind(step)}; nothing here gives the same"

    def behind(self, step: Step) -> str:
        """What the operator works on, in words."""
        if step.op in ("add", "concat", "multiply"):
            return " of " + " and ".join(self.name_of(index) for index in step.inputs)
        return f" behind {self.name_of(step.inputs[0])}" if step.inputs[0] >= 0 else " on the image"

    def name_of(self, index: int) -> str:
        if index < 0:
            return "the image"
        step = self.steps[index]
        return f"{described(step)} of {step.path}" if step.path else described(step)

    def instead(self) -> Iterator[Event]:
        """What the module does with the inputs of the culprit, and the table does not."""
        step = self.steps[self.position]
        places = [place for index in step.inputs for place in self.places(index)]
        known = {place for index in range(len(self.found.values)) for place in self.places(index)}
        seen = self.elsewhere(places)
        for place in places:
            for event in self.aligner.consumers.get(place, []):
                if event.index not in known and event.index not in seen:
                    seen.add(event.index)
                    yield event

    def elsewhere(self, places: list[int]) -> set[int]:
        """Events that are just what another operator of the table does with the same inputs."""
        taken: set[int] = set()
        step = self.steps[self.position]
        for other in self.steps[self.position + 1 :]:
            if set(other.inputs) & set(step.inputs):
                for place in places:
                    for event in self.aligner.consumers.get(place, []):
                        if event.op == other.op and event.index not in taken and not list(differences(other, event)):
                            taken.add(event.index)
                            break
        return taken

    def places(self, index: int) -> list[int]:
        """The events that made what an operator of the table gave."""
        values = [self.trace.images] if index < 0 else [value.tensor for value in self.found.values[index]]
        return [place for tensor in values for place, _ in self.trace.find(tensor)]

    def shared(self) -> str:
        """The place whose weights the module uses again here; empty where it does not."""
        if self.position != self.found.reached:
            return ""
        kept, self.found.bindings = self.found.bindings, {}
        way = next(self.aligner.ways(self.position, self.found), None)
        self.found.bindings = kept
        if way:
            for index, binding in kept.items():
                if set(binding.uses) & set(way[0].uses):
                    return self.steps[index].path
        return ""


def differences(step: Step, event: Event) -> Iterator[tuple[str, str]]:
    """What an operator has and what the table has, aspect by aspect."""
    if step.op in ("conv", "linear") and event.shape[0] != step.shape[0]:
        unit = "maps" if step.op == "conv" else "features"
        yield f"{event.shape[0]} {unit}", f"{step.shape[0]}"
    for aspect in ASPECTS:
        if aspect not in event.facts:
            continue
        have, want = event.facts[aspect], getattr(step, aspect)
        if have != want:
            yield in_words(aspect, have), in_words(aspect, want)


def in_words(aspect: str, value: object) -> str:
    match aspect:
        case "bias":
            return "a bias" if value else "no bias"
        case "kernel":
            return f"kernel {value}×{value}" if isinstance(value, int) else f"kernel {value}"
        case _:
            return f"{aspect} {value}"


def described(step: Step) -> str:
    """An operator of the table in a few words: "3×3 conv 64 /2"."""
    node = Node(0, step.op, "", (), step.shape, step.kernel, step.stride, step.padding, factor=step.factor)
    return label(node)


def article(event: Event) -> str:
    facts = {key: event.facts.get(key) for key in ("kernel", "stride", "padding", "factor")}
    return label(Node(0, event.op, "", (), event.shape, **facts, name=event.name))  # type: ignore[arg-type]


def yours(event: Event) -> str:
    """Where it stands in the module's own names."""
    return f" (your {event.path})" if event.path else ""
