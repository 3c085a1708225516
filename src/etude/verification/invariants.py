"""L5: what must hold beside equal numbers. Every parameter takes part, dropout stands where the paper has it, gates start where it says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from etude.papers import Step
from etude.verification.align import Alignment
from etude.verification.departures import Departure
from etude.verification.trace import Trace
from etude.wording import size


@dataclass(frozen=True)
class Invariants:
    """What a module has shown that computes the table's function.

    at, whose          where the table stands, and who asks for it: "the paper"
    words              of the network, options included; none where the module is trained
    training, evaluated  its runs in the two modes
    initial            its parameters before they were changed, by id
    cold               ids of those that no gradient reaches
    """

    steps: Sequence[Step]
    found: Alignment
    at: str
    whose: str
    words: Mapping[str, Any]
    training: Trace
    evaluated: Trace
    initial: Mapping[int, Tensor]
    cold: frozenset[int]

    def broken(self, module: nn.Module) -> list[Departure]:
        return [*self.unused(module), *active_dropouts(self.evaluated), *self.initial_values()]

    def unused(self, module: nn.Module) -> Iterator[Departure]:
        used = {use for binding in self.found.bindings.values() for use in binding.uses}
        for name, parameter in module.named_parameters():
            if id(parameter) not in used or id(parameter) in self.cold:
                yield Departure("", f"your {name} ({size(parameter.shape)}) is never used, and the table has no layer for it ({self.at})")

    def initial_values(self) -> Iterator[Departure]:
        """The gates' biases, which the paper fixes (Identity Mappings, section 3.1)."""
        bias = self.words.get("gate_bias")
        for index, step in enumerate(self.steps):
            if bias is not None and step.path.endswith(".gate") and step.op == "conv":
                initial = self.initial[self.found.bindings[index].uses[1]]
                if not torch.allclose(initial, torch.full_like(initial, float(bias))):
                    have = f"{initial.mean().item():.3g} on average" if initial.std() > 0 else f"{initial[0].item():g}"
                    yield Departure(
                        step.path, f"{step.path}: the gate's bias starts at {have}; the paper starts it at {bias:g} ({step.at})"
                    )
                    return


def active_dropouts(evaluated: Trace) -> Iterator[Departure]:
    """Where and how they stand in training mode is among the numbers; in eval mode none may be active."""
    if any(event.active for event in evaluated.events):
        yield Departure("", "a dropout is active in eval mode")


def unreached(module: nn.Module, trace: Trace, at: str) -> Iterator[Departure]:
    """The parameters of a module that no operator is given and no gradient of its outputs reaches. Whatever the module computes."""
    module.zero_grad()
    sum((out.sum() for out in trace.outputs), torch.zeros(())).backward()
    given = {id(operand) for event in trace.events for operand in event.operands}
    for name, parameter in module.named_parameters():
        if id(parameter) not in given and parameter.grad is None:
            yield Departure("", f"your {name} ({size(parameter.shape)}) is never used ({at})")
