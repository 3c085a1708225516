"""Whether a departure was shown, or something merely could not be followed: a false "departs" is the worst that can be said."""

from collections.abc import Iterator

from etude.operator import Operator
from etude.papers import Step
from etude.verification.align import PARAMETRIC
from etude.verification.diagnose import name
from etude.verification.parts import Part
from etude.verification.repair import Edit, Repair, State, differing, is_of_other_size
from etude.verification.trace import Event
from etude.wording import size

MOVES = ("other", "slice")
OTHERS = ("group_norm", "layer_norm", "instance_norm", "prelu")  # which have weights of their own, and hide none of the table's


def unfollowed(repair: Repair, state: State) -> str:
    """Where the module applies weights in a way in which the table's could be hidden, in words; empty where it does nowhere."""
    used = {use for index, binding in state.bindings.items() if index >= 0 for use in binding.uses}
    others = {edit.events[0]: edit.steps[0] for edit in state.edits if edit.kind == "other"}
    for event in repair.trace.events:
        weights = [operand for operand in event.operands if operand is not None]
        step = repair.steps[others[event.index]] if event.index in others else None
        if weights and not all(id(weight) in used for weight in weights[:2]) and (how := hidden(repair, event, step)):
            return f"{event.path or 'forward'}: {how}"
    return next(same_on_both_sides(repair, state), "")


def hidden(repair: Repair, event: Event, step: Step | None) -> str:
    """How the weights of an operator may be those of several layers, or some of one; `step` is what it stands in the place of."""
    if event.op not in PARAMETRIC:
        return "" if event.name in OTHERS else f"{event.name} with weights"
    if event.op in ("conv", "linear"):
        if event.groups > max(step.groups for step in repair.steps):
            return f"a convolution of {event.groups} groups"
        if any(is_piece(reader, event) for reader in repair.consumers.get(event.index, [])):
            return f"{name(event)} of which pieces are taken"
        weight = event.operands[0]
        if isinstance(weight, Part) and (step is None or weight.numel() != step.parameters - step.bias * step.shape[0]):
            return f"{name(event)} with a part of {size(weight.sources[0].shape)} weights"
    return ""


def is_piece(reader: Event, whole: Operator) -> bool:
    """Whether it gives some of the channels of what it reads."""
    alone = reader.op in MOVES and not reader.operands and len(reader.inputs) == 1
    return alone and reader.shape[1:] == whole.shape[1:] and reader.shape[0] < whole.shape[0]


def same_on_both_sides(repair: Repair, state: State) -> Iterator[str]:
    """Edits that put an operator in the place of one that is the same, of the same."""
    for edit in state.edits:
        parametric = repair.steps[edit.steps[0]].op in PARAMETRIC  # a dropout of another kind is another
        if edit.kind == "other" and len(edit.events) == 1 and parametric and is_same(repair, state, edit):
            event = repair.trace.events[edit.events[0]]
            yield f"{event.path or 'forward'}: the weights of {name(event)}"
    if not state.edits and len(state.values) < len(repair.steps):
        yield f"what stands for {repair.steps[len(state.values)].path}"


def is_same(repair: Repair, state: State, edit: Edit) -> bool:
    event, step = repair.trace.events[edit.events[0]], repair.steps[edit.steps[0]]
    if event.op != step.op or any(differing(step, event)):
        return False
    if is_of_other_size(step, event) or (step.op == "batch_norm" and not event.active):
        return False
    return all(set(state.seen(index)) & set(event.inputs) for index in step.inputs)
