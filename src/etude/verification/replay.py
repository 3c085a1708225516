"""A module's own run as the steps of a table, so that another module can be held against it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from etude.explain.recorder import Call, each, tensors_in
from etude.papers import Step
from etude.verification.align import PARAMETRIC
from etude.verification.trace import DROPOUTS, WithoutChance


@dataclass(frozen=True)
class Replayed(Step):
    """A step that a module ran.

    weights  what tells its parameters from those of other steps; of an operator without any, empty
    """

    weights: tuple[int, ...] = ()


@dataclass(frozen=True)
class Replay:
    """What a module ran, in order, as far as it went.

    output  the step that it returned
    error   what it raised
    """

    steps: tuple[Replayed, ...] = ()
    output: int | None = None
    error: Exception | None = None


def replayable(module: nn.Module, images: Tensor) -> Replay:
    """The run of a module on images, in the mode it is in, with `stand_in` for every dropout.

    Weights stand in layers or are given to convolution, linear and batch_norm as they are: nothing is computed from them alone.
    """
    recorder = StepRecorder(module, images)
    try:
        with recorder:
            result = module(images)
    except Exception as error:
        return Replay(tuple(recorder.steps), error=error)
    return Replay(tuple(recorder.steps), next((recorder.origin(tensor) for tensor in tensors_in(result)), None))


@dataclass(frozen=True)
class Slot:
    """In the arguments of a call, the place of a tensor that an earlier step made."""

    index: int


class StepRecorder(WithoutChance):
    """Makes a step of every tensor that comes from the images."""

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__(module, images)
        self.steps: list[Replayed] = []
        self.firsts: dict[tuple[int, ...], int] = {}

    def note(self, call: Call) -> None:
        if not call.inputs:
            return
        weights = tuple(map(id, call.parameters))
        repeat = self.repeated(call)
        for place, tensor in enumerate(call.made):
            index, facts = len(self.steps), self.facts(call, tensor)
            if weights and facts["op"] not in PARAMETRIC:
                raise NotImplementedError(f"{call.func} is given parameters: a run can be repeated with others only of layers")
            first = self.firsts.setdefault(weights, index) if weights else index
            again = None if weights else lambda inputs, place=place: repeat(inputs)[place]
            self.steps.append(Replayed(index, **facts, shares=None if first == index else first, again=again, weights=weights))
            self.made_by(index, call, [tensor])

    def repeated(self, call: Call) -> Callable[[Sequence[Tensor]], list[Tensor]]:
        """The call as a function of what earlier steps made; it gives the tensors that the call makes, and keeps none of them."""
        func, names = DROPOUTS.get(call.func, call.func), tuple(call.kwargs)

        def emptied(value: Any) -> Any:
            origin = self.origin(value) if isinstance(value, Tensor) else None
            if origin is None:
                return value
            if origin >= 0 and self.steps[origin].shape != tuple(value.shape[1:]):
                raise NotImplementedError(f"{call.func} is given a tensor into whose parts others have written: no step made the whole")
            return Slot(call.inputs.index(origin))

        arguments = each((call.args, tuple(call.kwargs.values())), emptied)

        def repeat(inputs: Sequence[Tensor]) -> list[Tensor]:
            def filled(value: Any) -> Any:
                value = inputs[value.index] if isinstance(value, Slot) else value
                return value.clone() if isinstance(value, Tensor) else value  # which an operator in place may overwrite

            args, values = each(arguments, filled)
            result = func(*args, **dict(zip(names, values, strict=True)))
            return list(tensors_in(args[:1] if result is None else result))

        return repeat
