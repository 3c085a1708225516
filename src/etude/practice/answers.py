"""What a learner's module does on the images of one case, recorded once, so that any number of candidates can be held against it."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from etude.explain.findings import Finding
from etude.explain.recorder import Call, tensors_in
from etude.explain.slips import without_tensor
from etude.practice.exercises import Case
from etude.verification.prepare import register_listed
from etude.verification.trace import Trace, ValueRecorder, difference, randomise

Stage = Literal["made", "run", "backward"]
IMAGES = 3
SAME = 1e-9  # relative, in float64: one image by itself and among others


class Raised(Exception):
    """The learner's code raised `error` while its module was made, run or differentiated; of a run, what came before it."""

    def __init__(self, stage: Stage, error: BaseException, before: tuple[Trace, nn.Module] | None = None) -> None:
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
    trace       a run in training mode on `images`, with random weights
    evaluated   the same in eval mode
    output      of the run in training mode, with its gradients; `given` are its images
    lines       the line of the learner's file in which every operator of the trace ran
    alone       whether an image gives the same by itself as among others, in eval mode
    overwrites  whether it changes its own input
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
        self.images = torch.randn(IMAGES, *case.input)
        self.hidden = register_hidden(module)
        module.double()  # where the learner has asked for another type
        if any(map(is_lazy, module.parameters())):
            with raised("run"), torch.no_grad():
                module.eval()(self.images)  # the layers are made now
        self.initial = {id(parameter): parameter.detach().clone() for parameter in module.parameters()}
        first = self.run(module.train(), self.images)
        randomise(module, first.trace)
        self.given = self.images.clone().requires_grad_()
        recorder = self.run(module.train(), self.given)
        self.trace, self.lines, self.overwrites = recorder.trace, recorder.lines, recorder.overwrites
        self.output = one_tensor(self.trace)
        if len(self.output) != IMAGES:
            raise NoAnswer("merges_batch", found=size(self.output.shape), images=IMAGES)
        with raised("backward"):
            self.output.square().sum().backward(retain_graph=True)
        module.zero_grad()
        self.evaluated = self.run(module.eval(), self.images).trace
        single = self.run(module, self.images[:1]).trace
        self.alone = difference(one_tensor(single), one_tensor(self.evaluated)[:1]) < SAME

    def run(self, module: nn.Module, images: Tensor) -> "LineRecorder":
        """What a run on a copy of the images shows. Raises Raised."""
        with torch.enable_grad() if images.requires_grad else torch.no_grad():
            copies = images.clone()
            recorder = LineRecorder(module, copies, self.file)
            recorder.trace.images = images.detach()
            with raised("run", (recorder.trace, module)), recorder:
                result = module(copies)
        recorder.overwrites = not torch.equal(copies, images)
        recorder.trace.outputs = tuple(tensors_in(result))
        if not recorder.trace.outputs:
            nothing = without_tensor(module, result, self.file)
            raise NoAnswer(nothing.key, nothing.line, **nothing.values)
        return recorder


@contextlib.contextmanager
def raised(stage: Stage, before: tuple[Trace, nn.Module] | None = None) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        raise Raised(stage, error, before) from error


def one_tensor(trace: Trace) -> Tensor:
    if len(trace.outputs) != 1 or trace.outputs[0].dim() == 0:
        raise NoAnswer("not_one_tensor", found=len(trace.outputs))
    return trace.outputs[0]


def size(shape: Any) -> str:
    return "×".join(map(str, shape))


class LineRecorder(ValueRecorder):
    """Notes beside every operator the line of the learner's file that it was called from; 0 where it was none."""

    overwrites = False

    def __init__(self, module: nn.Module, images: Tensor, file: Path) -> None:
        super().__init__(module, images)
        self.file, self.lines = str(file), list[int]()

    def note(self, call: Call) -> None:
        super().note(call)
        frame: FrameType | None = sys._getframe()
        while frame and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        self.lines += [frame.f_lineno if frame else 0] * (len(self.trace.events) - len(self.lines))


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
