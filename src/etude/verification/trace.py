"""One run of anybody's module, recorded by its numbers: every tensor it makes, known again by a signature.

The signature of a tensor is a number for each of its channels: a fixed random weighting of the images and pixels. Two tensors with the
same numbers are the same function of the input, in whatever style they were computed; the order of the channels is free.
"""

import functools
import math
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import _engine_run_backward
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from etude.explain.operators import argument
from etude.explain.recorder import Call, Function, Recorder, name_of, tensors_in
from etude.operator import Operator
from etude.verification.interpret import without_chance
from etude.verification.parts import Parts
from etude.verification.prepare import in_its_type

CLOSE = 1e-7  # of the largest entry; in float64 equal functions agree to about 1e-12, others do not to 1e-3
OURS = (Path(torch.__file__).parent, Path(__file__).parents[1])
NOBODYS = ("<string>", *(f"{folder}{os.sep}" for folder in OURS))  # what a process is started with, torch's files, and ours
CHANNELS_FIRST = ("conv", "batch_norm", "max_pool", "avg_pool", "adaptive_avg_pool", "local_response_norm")  # in front of the pixels
EQUAL = 1e-6  # the largest relative difference between equal functions in float64, over a whole network
BATCH_NORMS: dict[Function, dict[str, int]] = {  # the places of their arguments
    F.batch_norm: {"running_mean": 1, "running_var": 2, "weight": 3, "bias": 4, "training": 5},
    torch.batch_norm: {"weight": 1, "bias": 2, "running_mean": 3, "running_var": 4, "training": 5},
}


LAYERS = {F.conv2d, torch.conv2d, F.linear, *BATCH_NORMS}


@dataclass(frozen=True)
class Event(Operator):
    """An operator that ran; one that makes several tensors is as many events.

    operands  of a batch norm: weight, bias, running mean, running variance; of others: the parameters it was given, or their parts
    active    of a dropout: whether it removes anything; of a batch norm: whether it takes the statistics of the batch
    line      that called it, neither torch's nor ours: "/home/…/my_net.py:42"
    """

    operands: tuple[Tensor | None, ...] = ()
    active: bool = False
    line: str = ""


@dataclass
class Trace:
    """Everything that ran, the images it ran on, and what came out.

    parts  what the module's parameters were cut into and put together to
    cut    the events through which no gradient passes, though what they are given asks for one
    kept   what every event made, where that is asked for
    hidden places, in words, where parameters were applied to something that is no event
    lost   the same, where something was used that does not come from the images, as far as was seen
    chance whether random numbers were drawn, for which a dropout needs none here
    """

    images: Tensor
    parts: Parts
    events: list[Event] = field(default_factory=list)
    outputs: tuple[Tensor, ...] = ()
    cut: list[Event] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    chance: bool = False

    def __post_init__(self) -> None:
        self.by_size: dict[int, list[tuple[float, int, Tensor]]] = {}
        self.signatures: dict[int, list[Tensor]] = {}
        self.add(-1, self.images)

    def add(self, index: int, tensor: Tensor, layouts: bool = False) -> None:
        """Remember a tensor under its signature, and under that of the other layout where it may be channels-last."""
        self.know(index, signature_of(tensor))
        if layouts and tensor.dim() > 2:
            self.know(index, signature_of(tensor.movedim(-1, 1)))

    def know(self, index: int, signature: Tensor) -> None:
        self.signatures.setdefault(index, []).append(signature)
        self.by_size.setdefault(len(signature), []).append((signature.sum().item(), index, signature))

    def find(self, tensor: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Where these numbers were seen: the event, and for each channel of `tensor` its place there."""
        return self.matching(signature_of(tensor))

    def matching(self, wanted: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Where numbers of that signature were seen, as for `find`."""
        near = CLOSE * (wanted.abs().max().item() + 1e-30)
        ordered = wanted.sort()
        total = wanted.sum().item()
        for sum_, index, signature in self.by_size.get(len(wanted), []):
            if abs(sum_ - total) <= near * len(wanted):
                other = signature.sort()
                if (ordered.values - other.values).abs().max() <= near:
                    order = torch.empty_like(other.indices)
                    order[ordered.indices] = other.indices
                    exact = (signature - wanted).abs().max() <= near
                    yield index, torch.arange(len(wanted)) if exact else order

    def has(self, tensor: Tensor) -> bool:
        return next(self.find(tensor), None) is not None

    def returns(self, tensor: Tensor) -> bool:
        """Whether these numbers, in this order, are among what came out."""
        return any(same_numbers(out, tensor) for out in self.outputs)


def signature_of(tensor: Tensor) -> Tensor:
    """A number for each channel of an N×C×… tensor, in float64; equal for N×C×H×W and N×C×(H·W)."""
    tensor = tensor.detach().to(torch.float64)
    flat = tensor.reshape(tensor.shape[0], tensor.shape[1] if tensor.dim() > 1 else 1, -1)
    return (flat @ weighting(flat.shape[0], flat.shape[2])[:, :, None]).sum(0)[:, 0]


_weightings: dict[tuple[int, int], Tensor] = {}


def weighting(images: int, pixels: int) -> Tensor:
    """Fixed random numbers between 0.5 and 1.5 with random signs, one for each image and pixel."""
    if (images, pixels) not in _weightings:
        generator = torch.Generator().manual_seed(images * 1_000_003 + pixels)
        numbers = 0.5 + torch.rand(images, pixels, generator=generator, dtype=torch.float64)
        signs = torch.randint(0, 2, (images, pixels), generator=generator, dtype=torch.float64) * 2 - 1
        _weightings[images, pixels] = numbers * signs
    return _weightings[images, pixels]


def traced(module: nn.Module, images: Tensor, call: Callable[[Tensor], Any], *, keep: bool = False, like: Trace | None = None) -> Trace:
    """The trace of `call(images)`, with `stand_in` for every dropout. The module runs in the mode it is in.

    keep  whether the numbers themselves are kept beside their signatures
    like  an earlier trace with the same weights, whose parts of parameters are known again
    """
    return recorded(ValueRecorder(module, images, keep, like.parts if like else None), call)


def ran(module: nn.Module, images: Tensor, call: Callable[[Tensor], Any]) -> Trace:
    """The same without signatures, which cost as much as a cheap operator: what ran and what came out, in which no numbers are found."""
    return recorded(EventRecorder(module, images), call)


def recorded(recorder: "EventRecorder", call: Callable[[Tensor], Any]) -> Trace:
    before = generators()
    with in_its_type(), recorder:
        result = call(recorder.images)
    recorder.trace.chance = generators() != before
    recorder.trace.outputs = tuple(tensor for tensor in tensors_in(result) if tensor.is_floating_point())  # a mask is no result
    if not any(map(recorder.origins, recorder.trace.outputs)):
        recorder.trace.lost.append("what forward returns")
    return recorder.trace


def generators() -> tuple[object, ...]:
    """The states of the random numbers that a module may draw from: torch's, Python's and numpy's."""
    kind, keys, place, *_ = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), (kind, np.asarray(keys).tobytes(), place)


class WithoutChance(Recorder):
    """A Recorder that computes `stand_in` in place of every dropout."""

    def run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return DROPOUTS.get(func, func)(*args, **kwargs)

    def facts(self, call: Call, made: Tensor) -> dict[str, Any]:
        """Those of the call; all dropouts are alike here, for their numbers tell them apart."""
        dropout = {"op": "dropout", "factor": share_and_activity(call.args, call.kwargs)[0]} if call.func in DROPOUTS else {}
        return call.facts(made) | dropout


class EventRecorder(WithoutChance):
    """Makes an event of every tensor of numbers."""

    def __init__(self, module: nn.Module, images: Tensor, known: Parts | None = None) -> None:
        super().__init__(module, images)
        self.parts = Parts(module, known)
        self.images = images  # into which forward may write
        self.trace = Trace(images.detach().clone(), self.parts)
        self.batch = len(images)
        self.several: dict[int, tuple[int, ...]] = {}  # the events that something is made of that is no event itself

    def origins(self, tensor: Tensor) -> tuple[int, ...]:
        return self.several.get(id(tensor)) or super().origins(tensor)

    def note(self, call: Call) -> None:
        unseen = [tensor for tensor in call.made if not self.is_worth_noting(tensor)]
        if call.parameters and not call.inputs:
            self.parts.note(call)
            if call.func in LAYERS and not is_made_of(self.weights, call.args[:1]):
                self.trace.lost.append(f"{call.path or 'forward'}: what {name_of(call.func)} works on")
        elif call.parameters and len(unseen) == len(call.made):
            self.trace.hidden.append(f"{call.path or 'forward'}: weights applied to something that is not one tensor for each image")
        if call.inputs:  # what is seen again may be made of it
            self.made_by(max(call.inputs), call, unseen)
            self.several |= {id(tensor): call.inputs for tensor in unseen if len(call.inputs) > 1}
        for tensor in filter(self.is_worth_noting, call.made):
            index, facts = len(self.trace.events), self.facts(call, tensor)
            active = takes_the_batch(call) or (call.func in DROPOUTS and all(share_and_activity(call.args, call.kwargs)))
            self.trace.events.append(Event(index, **facts, operands=self.operands(call), active=active, line=calling_line()))
            if not tensor.requires_grad and any(one.requires_grad for one in tensors_in(call.args)):
                self.trace.cut.append(self.trace.events[-1])
            self.remember(self.trace.events[-1], tensor)
            self.made_by(index, call, [tensor])

    def operands(self, call: Call) -> tuple[Tensor | None, ...]:
        """Those of an Event."""
        given = {id(tensor): self.parts.of(tensor) for tensor in tensors_in((call.args, tuple(call.kwargs.values())))}
        order = BATCH_NORMS.get(call.func)
        if order is None:
            known = [one for one in given.values() if one is not None]
            return tuple({id(one): one for one in (known or call.parameters)}.values())
        own = [argument(call.args, call.kwargs, order[name], name) for name in ("weight", "bias", "running_mean", "running_var")]
        return tuple(tensor if given.get(id(tensor)) is None else given[id(tensor)] for tensor in own)

    def remember(self, event: Event, tensor: Tensor) -> None:
        """Keep of the numbers what is wanted."""

    def is_worth_noting(self, tensor: Tensor) -> bool:
        """Numbers, of every image of the batch, that are not made of parameters alone."""
        batched = tensor.dim() > 1 and len(tensor) == self.batch and tensor.numel() > 0
        return batched and tensor.is_floating_point() and id(tensor) not in self.weights


class ValueRecorder(EventRecorder):
    """Takes the signature of what is made while it is fresh (it may be overwritten later)."""

    def __init__(self, module: nn.Module, images: Tensor, keep: bool = False, known: Parts | None = None) -> None:
        super().__init__(module, images, known)
        self.keep = keep
        self.last: set[int] = set()  # events whose channels may stand last

    def remember(self, event: Event, tensor: Tensor) -> None:
        if event.op in ("other", "linear") or (event.op not in CHANNELS_FIRST and self.last.intersection(event.inputs)):
            self.last.add(event.index)
        self.trace.add(event.index, tensor, layouts=event.index in self.last)
        if self.keep:
            self.trace.kept.append(tensor.detach().clone())


def is_made_of(known: Mapping[int, object], value: Any) -> bool:
    """Whether the tensors in a value are all known, by their ids."""
    return all(id(tensor) in known for tensor in tensors_in(value))


def calling_line() -> str:
    """The innermost line that runs now and is somebody's."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code.co_filename.startswith(NOBODYS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


def takes_the_batch(call: Call) -> bool:
    """Whether it is a batch norm that takes the statistics of the batch."""
    order = BATCH_NORMS.get(call.func)
    return order is not None and bool(argument(call.args, call.kwargs, order["training"], "training", False))


def stand_in(func: Function, *args: Any, **kwargs: Any) -> Tensor:
    """What is computed in place of a dropout: `without_chance` where it is active, of every kind as if its share were another one."""
    x: Tensor = argument(args, kwargs, 0, "input")
    share, active = share_and_activity(args, kwargs)
    if not active or share == 0:
        return x.view_as(x)
    elementwise = func in (F.dropout, torch.dropout) or (x.dim() == 2 and func is F.dropout2d)  # features are channels of one pixel
    kind = 0 if elementwise else 2 if func in (F.alpha_dropout, F.feature_alpha_dropout) else 1
    inplace: bool = argument(args, kwargs, 3, "inplace", False)
    made = without_chance(x.clone() if inplace else x, kind + share)
    return x.copy_(made) if inplace else made


def share_and_activity(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, bool]:
    """Of the arguments of a dropout: the share that it removes, and whether it does; torch.dropout says `train`, the others `training`."""
    return argument(args, kwargs, 1, "p", 0.5), argument(args, kwargs, 2, "training", kwargs.get("train", True))


# Every dropout, and what is computed in its place.
DROPOUTS: dict[Function, Function] = {
    func: functools.partial(stand_in, func)
    for func in (F.dropout, F.dropout2d, F.dropout1d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout, torch.dropout)
}


@torch.no_grad()
def randomise(module: nn.Module, trace: Trace) -> None:
    """Weights, biases, scales and statistics with which nothing stays hidden: no zeros, no ones, signs of both kinds."""
    scales: set[int] = set()
    for event in trace.events:
        if event.op == "batch_norm":
            weight, _, mean, variance = event.operands
            scales.add(id(weight))
            if mean is not None and variance is not None:
                mean.copy_(0.3 * torch.randn_like(mean))
                variance.copy_(0.5 + torch.rand_like(variance))
    for parameter in [*module.parameters(), *trace.parts]:
        noise = torch.randn_like(parameter)
        if id(parameter) in scales:
            trace.parts.fill(parameter, noise.sign() * (0.5 + torch.rand_like(parameter)))
        elif parameter.dim() < 2:
            trace.parts.fill(parameter, 0.3 * noise)
        else:
            square = parameter.dim() == 4 and parameter.shape[2] == parameter.shape[3]
            fan = parameter.numel() / (parameter.shape[0] if square or parameter.dim() == 2 else max(parameter.shape))
            trace.parts.fill(parameter, (2 / fan) ** 0.5 * noise)


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers in the same order, sides of 1 aside."""
    return one.numel() == other.numel() and difference(one.reshape(other.shape), other) <= EQUAL


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest entry; infinity where something is no number."""
    return finite((one - other).abs().max() / (other.abs().max() + 1e-30))


def finite(apart: Tensor) -> float:
    """How far things are apart, also where they are no numbers, whose comparisons are all false."""
    return apart.nan_to_num(math.inf, math.inf).item()


def gradients_differ(
    module: nn.Module, pairs: Sequence[tuple[Tensor, Tensor]], images: Tensor, copies: Tensor
) -> tuple[float, frozenset[int]]:
    """How far the gradients of equal outputs are apart: the largest relative difference, and ids of the parameters that none reaches.

    pairs           an output of the module, from `images`, and the same from elsewhere, from `copies`, with the module's parameters
    images, copies  equal, and both wanting a gradient; the graph of the module's own run is kept for others
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    losses = [torch.zeros(()), torch.zeros(())]
    for pair in pairs:
        weights = torch.randn(pair[0].shape)
        losses = [loss + (out * weights).sum() for loss, out in zip(losses, pair, strict=True)]
    theirs = gradients_of(losses[0], [images, *parameters], retain_graph=True)
    ours = gradients_of(losses[1], [copies, *parameters])
    cold = frozenset(id(p) for p, gradient in zip(parameters, theirs[1:], strict=True) if gradient is None or not gradient.any())
    scale = max(gradient.abs().max().item() for gradient in ours if gradient is not None)
    none = torch.zeros(())
    both = [(none if a is None else a, none if b is None else b) for a, b in zip(theirs, ours, strict=True)]
    return max(finite((a - b).abs().max()) for a, b in both) / scale, cold


def gradients_of(loss: Tensor, leaves: Sequence[Tensor], *, retain_graph: bool = False) -> list[Tensor | None]:
    """The gradients of leaves, None where none comes; `grad` is emptied before and after.

    By `backward`, since re-entrant checkpointing permits nothing else; what it runs again, it runs with `stand_in` for every dropout.
    """
    if not loss.requires_grad:  # it was made without
        return [None] * len(leaves)
    for leaf in leaves:
        leaf.grad = None
    with in_its_type(), AgainWithoutChance():  # which `backward` itself would leave
        arguments = ((loss,), (torch.ones_like(loss),), retain_graph, False, ())
        _engine_run_backward(*arguments, allow_unreachable=True, accumulate_grad=True)
    gradients = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    return gradients


class AgainWithoutChance(TorchFunctionMode):
    """Computes `stand_in` in place of every dropout, and notes nothing."""

    def __torch_function__(self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        return DROPOUTS.get(func, func)(*args, **(kwargs or {}))
