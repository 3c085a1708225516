"""The first place where a module leaves a table, and what it does there instead."""

from collections.abc import Iterator, Sequence

from torch import nn

from etude.explain.outline import label
from etude.operator import Operator
from etude.papers import Step
from etude.verification.align import Aligner, Alignment
from etude.verification.repair import same
from etude.verification.trace import Event, Trace


class Diagnosis:
    """The culprit: the first operator of the table whose inputs are seen in the run and whose result is not.

    step, position   the culprit and its place in the table
    events           what the module does with the culprit's inputs, and the table does not
    """

    def __init__(self, steps: Sequence[Step], trace: Trace, found: Alignment, module: nn.Module) -> None:
        self.steps, self.trace, self.found = steps, trace, found
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
                taken |= {event.index for event in events if event.index not in taken and same(other, event)}
        return taken

    def places(self, index: int) -> list[int]:
        """The events that made what an operator of the table gave."""
        values = [self.trace.images] if index < 0 else [value.tensor for value in self.found.values[index]]
        return [place for tensor in values for place, _ in self.trace.find(tensor)]


def described(step: Step) -> str:
    """An operator of the table in a few words: "3×3 conv 64 /2"."""
    return "the addition" if step.op == "add" else label(step)


def name(event: Operator) -> str:
    """An operator that ran in a few words."""
    return "an addition" if event.op == "add" else label(event)
