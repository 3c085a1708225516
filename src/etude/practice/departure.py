"""Where an answer leaves the solution, and what it has there instead, as far as that is certain."""

import functools
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from etude.explain.findings import Finding
from etude.explain.outline import label
from etude.operator import Operator
from etude.papers import Step
from etude.practice.answers import Ran
from etude.practice.candidates import Candidate, Difference
from etude.verification.align import PARAMETRIC
from etude.verification.diagnose import Diagnosis
from etude.verification.replay import Replayed
from etude.verification.trace import Event


class Departure:
    """The first operator of the solution that an answer does not have.

    place  where it is; None where all are there, and something else comes out
    line   of the learner's file, where one can be named
    """

    def __init__(self, candidate: Candidate, answer: Ran, difference: Difference) -> None:
        self.candidate, self.answer, self.found = candidate, answer, difference.found
        self.run = candidate.training
        output, found = self.run.output, self.found
        if difference.kind == "output" and output is not None and not answer.trace.has(found.values[output][0].tensor):
            found = replace(found, reached=output)
        self.place = Diagnosis(self.run.steps, answer.trace, found, answer.module) if found.reached < len(self.run.steps) else None

    @functools.cached_property
    def line(self) -> int | None:
        return next((line for event in self.instead if (line := self.line_of(event))), None)

    def line_of(self, event: Event) -> int | None:
        return self.answer.lines[event.index] or None

    @functools.cached_property
    def instead(self) -> Sequence[Event]:
        """What the answer does there; where it does nothing, what it has there and drops."""
        if self.place is None:
            return self.dropped([self.run.output]) if self.run.output is not None else []
        return self.dropped(self.place.step.inputs) or self.place.events

    def dropped(self, steps: Sequence[int | None]) -> list[Event]:
        """Events that made what these steps gave, where nothing in the answer takes what they made and it does not come out.

        None of a run that did not come to its end.
        """
        if not self.answer.trace.outputs:
            return []
        events, taken = self.answer.trace.events, {index for event in self.answer.trace.events for index in event.inputs}
        found = []
        for step in steps:
            places = self.places(step) if step is not None and step >= 0 else []
            if places and not taken.intersection(places) and not self.answer.trace.returns(self.found.values[step or 0][0].tensor):
                found.append(events[places[0]])
        return found

    def places(self, step: int) -> list[int]:
        """The events that made what a step of the solution gave; -1 the images."""
        if step < 0:
            return [-1]
        return [place for value in self.found.values[step] for place, _ in self.answer.trace.find(value.tensor)]

    def finding(self) -> Finding:
        if self.place is None:
            if self.instead:
                return Finding("not_returned", {"have": self.called(self.instead[0])}, self.line)
            known = {place for step in range(len(self.run.steps)) for place in self.places(step)}
            more = [event for event in self.answer.trace.events if event.index not in known]
            return Finding("output", {"have": self.called(more[-1])}, self.line_of(more[-1])) if more else Finding("output_order")
        step = self.place.step
        before = [described(self.run.steps[index] if index >= 0 else None) for index in step.inputs]
        here, sides = self.here(step), {"before": before, "want": described(step)}
        if step.op in PARAMETRIC and here.key not in ("weights_again", "runs_again"):
            if self.candidate.cut_otherwise(self.answer):
                return Finding("not_followed", sides, self.line)
            if hand := self.by_hand(self.run.steps[step.index]):
                return Finding("by_hand", sides | {"have": self.called(hand)}, self.answer.lines[hand.index] or None)
        return Finding("operator", sides | {"here": here}, None if here.key == "not_joined" else self.line)

    def by_hand(self, step: Replayed) -> Event | None:
        """What applies weights, as many as this layer has, that were not followed, in another way than the layers of torch."""
        used = {use for binding in self.found.bindings.values() for use in binding.uses}
        wanted = self.candidate.sizes[step.weights[0]]
        for event in self.answer.trace.events:
            numbers = sum(weight.numel() for weight in event.operands if weight is not None and id(weight) not in used)
            if event.op not in PARAMETRIC and numbers >= wanted:
                return event
        return None

    def here(self, step: Step) -> Finding:
        """What stands in the place of a step."""
        assert self.place is not None
        if not self.instead:
            return Finding("computed_nowhere")
        event = self.instead[0]
        if event.index in self.place.known:
            return Finding("dropped", {"have": self.called(event)})
        if not any(self.joined(step, event) for event in self.instead):
            return Finding("not_joined")
        if event.op != "add" and (in_words(event) != in_words(step) or self.answer.options[event.index]):
            return Finding("follows", {"have": self.called(event)})
        return self.unlike(step, event)

    def joined(self, step: Step, event: Event) -> bool:
        """Whether an event takes more than one of the things that a step joins; or the step joins none."""
        if step.op not in ("add", "concat") or event.op == step.op or len(set(step.inputs)) < 2:
            return True
        return sum(bool(set(self.places(index)) & set(event.inputs)) for index in set(step.inputs)) > 1

    def unlike(self, step: Step, event: Event) -> Finding:
        """In what an operator of the same name is not the solution's, as far as that is certain."""
        have = {"have": self.called(event)}
        if event.op == "batch_norm" and event.operands[0] is None:
            return Finding("without_affine", have)
        if event.op != "add" and event.bias != step.bias:
            return Finding("with_a_bias" if event.bias else "without_a_bias", have)
        if not set(event.inputs) <= {place for index in step.inputs for place in self.places(index)} or len(event.inputs) < len(
            step.inputs
        ):
            return Finding("takes", have | {"inputs": [self.called(event) for event in map(self.event, event.inputs)]})
        weights = [id(operand) for operand in event.operands if isinstance(operand, nn.Parameter)]
        if step.op in PARAMETRIC and not weights:
            return Finding("without_parameters", have)
        earlier = [
            place for index, binding in self.found.bindings.items() if set(weights) & set(binding.uses) for place in self.places(index)
        ]
        if earlier:
            other = self.called(self.event(earlier[0]))
            return Finding("runs_again", have) if other == have["have"] else Finding("weights_again", have | {"other": other})
        return Finding("other_numbers", have)

    def event(self, index: int) -> Event | None:
        return self.answer.trace.events[index] if index >= 0 else None

    def called(self, event: Event | None) -> Finding | str:
        """An operator of the answer in a few words, with its name there and the options that it has not by default."""
        if event is None:
            return Finding("the_input")
        if event.op == "add" and event.factor is None:
            return Finding("addition")
        if event.op == "slice":
            return described(event)
        path = f" ({event.path})" if event.path else ""
        return ", ".join([in_words(event) + path, *self.answer.options[event.index]])


def described(step: Operator | None) -> Finding | str:
    """An operator of the solution in a few words."""
    if step is None:
        return Finding("the_input")
    if step.op == "slice":
        return Finding("every_second" if step.stride == 2 else "a_part")
    return Finding("addition") if step.op == "add" and step.factor is None else in_words(step)


def in_words(operator: Operator) -> str:
    """An operator in a few words; a dropout with the name of its kind."""
    return label(operator).replace("dropout", operator.name.strip("_") or "dropout")
