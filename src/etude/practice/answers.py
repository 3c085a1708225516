"""What a learner's module does on the images of one case, recorded once, so that any number of candidates can be held against it."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from etude.explain.findings import Finding
from etude.explain.operators import argument
from etude.explain.outline import label
from etude.explain.recorder import Call, Function, tensors_in
from etude.explain.slips import without_tensor
from etude.practice.exercises import Case
from etude.targets.opening import cause_of
from etude.verification.parts import Parts
from etude.verification.prepare import copied, register_listed
from etude.verification.trace import AgainWithoutChance, Event, Trace, ValueRecorder, difference, randomise

OPTIONS: dict[Function, tuple[tuple[int, str, Any], ...]] = {  # their places and defaults
    F.avg_pool2d: ((4, "ceil_mode", False), (5, "count_include_pad", True), (6, "divisor_override", None)),
    F.max_pool2d: ((4, "dilation", 1), (5, "ceil_mode", False)),
    F.batch_norm: ((7, "eps", 1e-5),),
    F.pad: ((2, "mode", "constant"), (3, "value", None)),
}
Stage = Literal["made", "run", "backward"]
IMAGES = 3
STRENGTHS = torch.tensor([1.0, 3.0, 10.0]).view(IMAGES, 1, 1, 1)  # so that an activation with a ceiling is another one
MOST_OPERATORS = 20_000  # in one run
SAME = 1e-9  # relative, in float64: one image by itself and among others


class Ran(Protocol):
    """A run of the learner's module, to its end or as far as it went.

    lines    the line of the learner's file in which every operator of the trace ran
    options  of every operator of the trace, what was asked for and is no default
    """

    module: nn.Module
    trace: Trace
    lines: list[int]
    options: list[list[str]]


class Raised(Exception):
    """The learner's code raised `error` while its module was made, run or differentiated; of a run, what came before it."""

    def __init__(self, stage: Stage, error: BaseException, before: Ran | None = None) -> None:
        super().__init__(str(error))
        self.stage, self.error, self.before = stage, error, before


class NoAnswer(Exception):
    """What the learner's code gives cannot be judged any further: what is wrong with it."""

    def __init__(self, key: str, line: int | None = None, **values: Any) -> None:
        super().__init__(key)
        self.finding = Finding(key, values, line)


class Answer:
    """One case of a learner's module.

    initial     its parameters as they were at the start, by id
    hidden      names of layers and weights that it uses and has not registered; they are, from now on
    trace       a run in training mode on `images`, with random weights; `lines` and `options` as `Ran` has them
    evaluated   the same in eval mode
    output      of the run in training mode, with its gradients; `given` are its images
    trained     what it gives in eval mode after training on other images; None where it keeps no statistics
    alone       whether an image gives the same by itself as among others, in eval mode
    overwrites  whether it changes its own input
    chance      whether a run in training mode draws random numbers, other than in the dropouts of torch
    """

    def __init__(self, make: Callable[..., Any], case: Case, file: Path) -> None:
        assert case.input is not None
        self.file, self.case = file, case
        torch.manual_seed(0)
        with raised("made"):
            module = make(*case.arguments)
        if not isinstance(module, nn.Module):
            raise NoAnswer("not_a_module", found=type(module).__name__)
        self.module = module
        self.images = torch.randn(IMAGES, *case.input) * STRENGTHS
        self.hidden = register_hidden(module)
        module.double()  # where the learner has asked for another type
        self.parts: Parts | None = None  # of the run in training mode, which are known again in eval mode
        if any(map(is_lazy, module.parameters())):
            with raised("run"), torch.no_grad():
                module.eval()(self.images)  # the layers are made now
        first = self.first_run().trace  # which may make more layers, by hand
        self.initial = {id(parameter): parameter.detach().clone() for parameter in module.parameters()}
        randomise(module, first)
        self.given = self.images.clone().requires_grad_()
        recorder = self.run(module.train(), self.given)
        self.trace, self.overwrites, self.parts = recorder.trace, recorder.overwrites, recorder.parts
        self.lines, self.options = recorder.lines, recorder.options
        self.output = one_tensor(self.trace)
        if len(self.output) != IMAGES:
            raise NoAnswer("merges_batch", found=size(self.output.shape), images=IMAGES)
        with raised("backward"):
            self.output.square().sum().backward(retain_graph=True)
        module.zero_grad()
        self.evaluated = self.run(module.eval(), self.images).trace
        spare = copied(module)
        if not repeats(spare.eval(), self.evaluated):
            self.explain_chance()
        self.chance = not repeats(spare.train(), self.trace)
        single = self.run(module, self.images[:1]).trace
        self.alone = difference(one_tensor(single), one_tensor(self.evaluated)[:1]) < SAME
        self.trained = after_training(copied(module), self.images.shape) if next(module.buffers(), None) is not None else None

    def first_run(self) -> "LineRecorder":
        """Without the numbers, but where something is raised: then what came before that is of interest."""
        try:
            return self.run(self.module.train(), self.images, values=False)
        except Raised:
            return self.run(self.module, self.images)

    def explain_chance(self) -> NoReturn:
        """Of an answer that gives other numbers every time, in eval mode: a layer that is made in forward is new every time."""
        for event, line in zip(self.trace.events, self.lines, strict=True):
            if event.op in ("conv", "linear") and not event.operands:
                raise NoAnswer("made_anew", line or None, have=label(event))
        raise NoAnswer("random_in_eval")

    def run(self, module: nn.Module, images: Tensor, *, values: bool = True) -> "LineRecorder":
        """What a run on a copy of the images shows. Raises Raised."""
        with torch.enable_grad() if images.requires_grad else torch.no_grad():
            copies = images.clone()
            recorder = LineRecorder(module, copies, self.file, values, self.parts)
            recorder.trace.images = images.detach()
            with raised("run", recorder), recorder:
                result = module(copies)
        recorder.overwrites = not torch.equal(copies, images)
        recorder.trace.outputs = tuple(tensors_in(result))
        if not recorder.trace.outputs:
            nothing = without_tensor(module, result, self.file)
            raise NoAnswer(nothing.key, nothing.line, **nothing.values)
        return recorder


@contextlib.contextmanager
def raised(stage: Stage, before: Ran | None = None) -> Iterator[None]:
    try:
        yield
    except NoAnswer:
        raise
    except (Exception, SystemExit) as error:
        raise Raised(stage, cause_of(error), before) from error


@torch.no_grad()
def repeats(module: nn.Module, trace: Trace) -> bool:
    """Whether another run, in the mode that the module is in, gives what that one gave."""
    with AgainWithoutChance():
        again = next(tensors_in(module(trace.images.clone())))
    return difference(again, one_tensor(trace)) < SAME


@torch.no_grad()
def after_training(module: nn.Module, shape: torch.Size) -> Tensor:
    """What a module gives in eval mode after two batches in training mode, which change its running statistics."""
    generator = torch.Generator().manual_seed(3)
    first, second, third = torch.randn(3, *shape, generator=generator)
    with AgainWithoutChance():
        module.train()
        module(first), module(second)
        return next(tensors_in(module.eval()(third)))


def one_tensor(trace: Trace) -> Tensor:
    if len(trace.outputs) != 1 or trace.outputs[0].dim() == 0:
        raise NoAnswer("not_one_tensor", found=len(trace.outputs))
    return trace.outputs[0]


def size(shape: Any) -> str:
    return "×".join(map(str, shape))


class LineRecorder(ValueRecorder):
    """Notes beside every operator the line of the learner's file that it was called from, 0 where it was none; ends what does not end."""

    overwrites = False

    def __init__(self, module: nn.Module, images: Tensor, file: Path, values: bool, known: Parts | None) -> None:
        super().__init__(module, images, known=known)
        self.values = values
        self.file, self.lines, self.options = str(file), list[int](), list[list[str]]()

    def remember(self, event: Event, tensor: Tensor) -> None:
        if self.values:
            super().remember(event, tensor)

    def note(self, call: Call) -> None:
        super().note(call)
        frame: FrameType | None = sys._getframe()
        while frame and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        line = frame.f_lineno if frame else 0
        new = len(self.trace.events) - len(self.lines)
        self.lines += [line] * new
        self.options += [options_of(call)] * new
        if len(self.lines) > MOST_OPERATORS:
            raise NoAnswer("endless", line or None, count=f"{MOST_OPERATORS:,}")


def options_of(call: Call) -> list[str]:
    """The arguments of a call beside an operator's facts that are not the default."""
    given = ((name, argument(call.args, call.kwargs, place, name, default), default) for place, name, default in OPTIONS.get(call.func, ()))
    return [f"{name}={value!r}" for name, value, default in given if value != default]


def register_hidden(module: nn.Module) -> list[str]:
    """Register plain tensors, and layers in Python lists, so that they can be followed like others; their names."""
    found = []
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor) and value.is_floating_point() and not name.startswith("_"):
                del vars(part)[name]
                part.register_parameter(name, value if isinstance(value, nn.Parameter) else nn.Parameter(value.detach()))
                found.append(name)
    return [*found, *register_listed(module)]
