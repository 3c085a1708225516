"""A module's own run as the steps of a table, so that another module can be held against it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from etude.explain.graph import paths_noted, tensors_in, version
from etude.explain.operators import OPERATORS
from etude.verification.interpret import Replayed, Weights
from etude.verification.trace import DROPOUTS, stand_in

STEP_FACTS = ("kernel", "stride", "padding", "dilation", "groups", "bias", "factor")


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
        with paths_noted(module, recorder.path), recorder:
            result = module(images)
    except Exception as error:
        return Replay(tuple(recorder.steps), error=error)
    return Replay(tuple(recorder.steps), next((recorder.source.get(id(tensor)) for tensor in tensors_in(result)), None))


@dataclass(frozen=True)
class Slot:
    """In the arguments of a call, the place of a tensor that an earlier step made."""

    index: int


class StepRecorder(TorchFunctionMode):
    """Sees every function of torch, and keeps it with its arguments."""

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.steps: list[Replayed] = []
        self.source = {id(images): -1}
        self.parameters = {id(parameter) for parameter in module.parameters()}
        self.firsts: dict[tuple[int, ...], int] = {}
        self.alive: list[Any] = [images]
        self.path = [""]

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_in((args, tuple(kwargs.values()))))
        inputs = tuple(dict.fromkeys(self.source[id(tensor)] for tensor in given if id(tensor) in self.source))
        if not inputs:
            return func(*args, **kwargs)
        weights = tuple(id(tensor) for tensor in given if id(tensor) in self.parameters)
        again = weighted(func, args, kwargs) if weights else self.plain(func, args, kwargs, inputs)
        before = [version(tensor) for tensor in given]
        result = stand_in(func, args, kwargs) if func in DROPOUTS else func(*args, **kwargs)
        if isinstance(result, Tensor) and (id(result) not in self.source or [version(tensor) for tensor in given] != before):
            self.add(func, args, kwargs, inputs, result, again, weights)
        return result

    def add(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        inputs: tuple[int, ...],
        made: Tensor,
        again: Callable[..., Tensor],
        weights: tuple[int, ...],
    ) -> None:
        describe = OPERATORS.get(func)
        facts = describe(args, kwargs, made) if describe else {"op": "dropout" if func in DROPOUTS else "other"}
        known: dict[str, Any] = {name: facts[name] for name in STEP_FACTS if name in facts}
        index = len(self.steps)
        first = self.firsts.setdefault(weights, index) if weights else index
        step = Replayed(self.path[-1], facts["op"], inputs, tuple(made.shape[1:]), again=again, weights=weights)
        self.steps.append(replace(step, **known, first=None if first == index else first))
        self.source[id(made)] = index
        self.alive.append((made, args, kwargs))

    def plain(self, func: Callable[..., Any], args: Any, kwargs: Any, inputs: tuple[int, ...]) -> Callable[..., Tensor]:
        """The call, with other tensors in place of those that steps made."""

        def emptied(value: Any) -> Any:
            if isinstance(value, Tensor) and id(value) in self.source:
                return Slot(inputs.index(self.source[id(value)]))
            return type(value)(map(emptied, value)) if type(value) in (tuple, list) else value

        arguments, keywords = emptied(tuple(args)), {name: emptied(value) for name, value in kwargs.items()}

        def again(given: list[Tensor], *_: Any) -> Tensor:
            def filled(value: Any) -> Any:
                if isinstance(value, Slot):
                    return given[value.index].clone()  # which an operator in place may overwrite
                return type(value)(map(filled, value)) if type(value) in (tuple, list) else value

            args, kwargs = filled(arguments), {name: filled(value) for name, value in keywords.items()}
            return stand_in(func, args, kwargs) if func in DROPOUTS else func(*args, **kwargs)

        return again


def weighted(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[..., Tensor]:
    """A convolution, linear layer or batch normalisation, with other weights."""
    if func is F.batch_norm:

        def norm(inputs: list[Tensor], weights: Weights, training: bool) -> Tensor:
            mean, variance = (None, None) if training else (weights.mean, weights.variance)
            return F.batch_norm(inputs[0], mean, variance, weights.weight, weights.bias, training=training, eps=weights.eps)

        return norm
    if func not in (F.conv2d, torch.conv2d, F.linear):
        raise NotImplementedError(f"{func} is given parameters: a run can be repeated with others only of layers")

    def again(inputs: list[Tensor], weights: Weights, training: bool) -> Tensor:
        return func(inputs[0], weights.weight, weights.bias, *args[3:], **{k: v for k, v in kwargs.items() if k not in ("weight", "bias")})

    return again
