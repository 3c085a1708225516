"""The graph of a module: the operators of one run, on a copy of the module that is made for this."""

import contextlib
import copy
import inspect
import re
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy
from torch.utils.flop_counter import FlopCounterMode

from etude.errors import EtudeError
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.operators import FORMULAS, argument
from etude.explain.recorder import Call, Function, Recorder, memory_of, tensors_in

T = TypeVar("T")
META = torch.device("meta")
RELUS: tuple[Function, ...] = (F.relu, torch.relu, Tensor.relu)
BATCH_NORM = ("running_mean", "running_var", "weight", "bias")  # the tensors that `F.batch_norm` takes beside the input, in order
USUAL_SIDES = (28, 32, 64, 96, 128, 224, 256, 299, 384, 512)


class DoesNotRun(EtudeError):
    """A module that cannot be recorded on an input of that shape; the message says why, and which shape it takes where one was found."""


def graph(module: nn.Module, input_shape: Shape) -> Graph:
    """Run a copy of `module` once, in eval mode, and record its operators; with auxiliary heads, those too.

    input_shape  (channels, height, width) of one image
    The copy runs on the meta device, without data or weights; code that cannot run there runs on a random image.
    Raises  DoesNotRun where the module does not take an input of that shape, or is compiled.
    """
    try:
        return on_a_copy(module, input_shape, recorded)
    except DoesNotRun:
        raise
    except Exception as error:
        raise does_not_run(module, input_shape, error) from error


# ── Where it runs ────────────────────────────────────────────────────────────────────────────────────────────────────


Measure = Callable[[nn.Module, Shape, torch.device], T]


def on_a_copy(module: nn.Module, input_shape: Shape, measure: Measure[T]) -> T:
    """What `measure` gives for a copy of the module on the meta device; where that fails, for one on the module's own device.

    A module that cannot be copied runs itself, and has its modes and buffers restored.
    Raises what the second run raises, and DoesNotRun for compiled code.
    """
    if any(isinstance(part, torch.jit.ScriptModule) or "_orig_mod" in part._modules for part in module.modules()):
        raise DoesNotRun(f"{type(module).__name__} cannot be recorded: it is compiled; give the module that it was compiled from")
    with torch.inference_mode(False), torch.enable_grad():
        module = initialised(module, input_shape)
        with contextlib.suppress(Exception):
            return measure(copy_on_meta(module), input_shape, META)
        module = copy_or_itself(module)
        with restored(module):
            return measure(module, input_shape, device_of(module))


def device_of(module: nn.Module) -> torch.device:
    return next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))


def initialised(module: nn.Module, input_shape: Shape) -> nn.Module:
    """The module; in place of one with lazy layers a copy that has seen an image. Raises DoesNotRun where it cannot be copied."""
    if not any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        return module
    try:
        module = copy.deepcopy(module)
        module.eval()
    except Exception as error:
        raise DoesNotRun(f"{type(module).__name__} cannot be recorded: it has lazy layers; call it once on an image first") from error
    with torch.random.fork_rng(devices=[]), torch.device(device_of(module)), torch.no_grad():
        module(images(module, 1, input_shape))
    return module


def copy_on_meta(module: nn.Module) -> nn.Module:
    """A copy without memory for its tensors, registered or not. Raises what copying raises, TypeError where a copy would not do."""
    if closes_over_itself(module):
        raise TypeError("a function that it keeps refers to the original")
    memo: dict[int, Any] = {}
    for part in module.modules():
        for tensor in tensors_in(vars(part)):
            on_meta = tensor.detach().to("meta")
            registered = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(on_meta, False) if registered else on_meta
            memo[id(tensor)].requires_grad_(tensor.requires_grad)
    return copy.deepcopy(module, memo)


def copy_or_itself(module: nn.Module) -> nn.Module:
    """A copy; the module itself where it cannot be copied, because it holds a lock or a function that refers to it."""
    try:
        return module if closes_over_itself(module) else copy.deepcopy(module)
    except Exception:
        return module


def closes_over_itself(module: nn.Module) -> bool:
    """Whether a hook, or another function that a module keeps, refers to one of the modules: copying does not copy functions."""
    parts = set(module.modules())
    kept = [value for part in parts for value in vars(part).values()]
    functions = [f for value in kept for f in (value.values() if isinstance(value, dict) else (value,)) if isinstance(f, FunctionType)]
    return any(isinstance(value, nn.Module) and value in parts for function in functions for value in enclosed(function))


def enclosed(function: FunctionType) -> Iterator[Any]:
    """The values that a function took along when it was defined."""
    yield from function.__defaults__ or ()
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            yield cell.cell_contents


@contextlib.contextmanager
def restored(module: nn.Module) -> Iterator[None]:
    """Give every module its mode and its buffers back afterwards."""
    before = [(part, part.training, dict(part._buffers)) for part in module.modules()]
    values = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for part, training, buffers in before:
            part.training = training
            part._buffers.update(buffers)
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)


# ── What to say of one that does not run ─────────────────────────────────────────────────────────────────────────────


def does_not_run(module: nn.Module, input_shape: Shape, error: Exception) -> DoesNotRun:
    """What to say of a module that raised `error`, and which shape it takes where one is found."""
    try:
        works = f"; {on_a_copy(module, input_shape, what_works)}"
    except Exception:
        works = ""
    stated = isinstance(error, (RuntimeError, ValueError, AssertionError)) and re.search("size|shape|channels", str(error))
    verb = "does not take" if works or stated else "cannot be run on"
    return DoesNotRun(f"{type(module).__name__} {verb} {'×'.join(map(str, input_shape))}: {reason(error)}{works}")


def reason(error: Exception) -> str:
    """An exception in one line."""
    text = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def what_works(module: nn.Module, input_shape: Shape, device: torch.device) -> str:
    """An image that the module takes instead of `input_shape`, in words. Raises LookupError where none is found."""
    given, height, width = input_shape
    side = min(height, width)
    below, above = [side, *(s for s in reversed(USUAL_SIDES) if s < side)], [s for s in USUAL_SIDES if s > side]
    others = {1, 3, *[weight.shape[1] for weight in module.parameters() if weight.dim() == 4][:1]} - {given}

    def runs(channels: int, height: int, width: int) -> bool:
        with contextlib.suppress(Exception):
            recorded(module, (channels, height, width), device)
            return True
        return False

    for channels in others:
        if runs(channels, height, width):
            return f"it takes {channels}×{height}×{width}"
    if smaller := next((s for s in below if runs(given, s, s)), None):
        return f"it takes {smaller}×{smaller}"
    if enough := next((s for s in above if runs(given, s, s)), None):
        too_small = side
        while enough - too_small > 1:
            middle = (enough + too_small) // 2
            too_small, enough = (too_small, middle) if runs(given, middle, middle) else (middle, enough)
        return f"the smallest square it takes is {enough}×{enough}"
    return next(f"it takes {channels}×{s}×{s}" for channels in others for s in (*below, *above) if runs(channels, s, s))


# ── The run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def recorded(module: nn.Module, input_shape: Shape, device: torch.device) -> Graph:
    """The graph of one run of `module` itself, in eval mode, on that device.

    Raises what the module raises, and DoesNotRun where nothing that it returns was seen to come from its input.
    """
    module.eval()
    counter = FlopCounterMode(display=False, custom_mapping=FORMULAS)
    with torch.random.fork_rng(devices=[]), torch.device(device), torch.no_grad(), counter:
        x = images(module, 1, input_shape)
        recorder = GraphRecorder(module, x, counter.get_total_flops)
        with recorder:
            result = whole_output(module)(x)
    origins = [recorder.origin(tensor) for tensor in tensors_in(result)]
    found = tuple(dict.fromkeys(index for index in origins if index is not None))
    if not found:
        what = f"it returns a {type(result).__name__} in which no tensor comes from its input"
        raise DoesNotRun(f"{type(module).__name__} cannot be recorded: {what}")
    outputs = tuple(index for index in found if index >= 0) or found  # the image itself is no output beside others
    return Graph(input_shape, tuple(recorder.nodes), outputs, sum(p.numel() for p in module.parameters()))


def whole_output(module: nn.Module) -> Callable[[Tensor], Any]:
    """What to call for everything a network gives: the method `outputs` that its class may define for auxiliary heads, else itself."""
    method = inspect.getattr_static(type(module), "outputs", None)
    return MethodType(method, module) if inspect.isfunction(method) else module


def images(module: nn.Module, count: int, shape: Shape) -> Tensor:
    """Random images, count×channels×height×width, in the floating type of the module's parameters."""
    dtype = next((tensor.dtype for tensor in (*module.parameters(), *module.buffers()) if tensor.is_floating_point()), None)
    return torch.rand(count, *shape, dtype=dtype)


def gives_its_own_shape(func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it is one of the functions whose shape torch finds on the meta device by dozens of functions of Python, and is as expected.

    A batch norm in eval mode, of as many channels as its vectors have; a ReLU that makes a new tensor, for which no gradient is to come.
    """
    x = argument(args, kwargs, 0, "input")
    if func in RELUS:
        return isinstance(x, Tensor) and x.is_meta and not x.requires_grad and not argument(args, kwargs, 1, "inplace", False)
    if func is not F.batch_norm:
        return False
    mean, variance, *affine = [argument(args, kwargs, place, name) for place, name in enumerate(BATCH_NORM, start=1)]
    fits = all(vector is None or vector.shape == x.shape[1:2] for vector in (mean, variance, *affine))
    in_eval_mode = mean is not None and variance is not None and not argument(args, kwargs, 1 + len(BATCH_NORM), "training")
    return x.is_meta and in_eval_mode and fits


class GraphRecorder(Recorder):
    """Makes a node of every call whose result comes from the image.

    flops  how many floating-point operations have been counted so far
    """

    def __init__(self, module: nn.Module, x: Tensor, flops: Callable[[], int] = lambda: 0) -> None:
        super().__init__(module, x)
        self.flops, self.macs = flops, 0
        self.nodes: list[Node] = []
        self.owner = {memory_of(x): -1}  # the node that first had a piece of memory
        self.unseen = {id(p): p.numel() for p in module.parameters()}

    def run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if gives_its_own_shape(func, args, kwargs):
            self.macs = 0
            return torch.empty_like(argument(args, kwargs, 0, "input"))
        before = self.flops()
        result = super().run(func, args, kwargs)
        self.macs = (self.flops() - before) // 2
        return result

    def note(self, call: Call) -> None:
        """Add a node: one for a call, also of functions such as `chunk` and `max`, which make several tensors."""
        if not call.inputs or not call.made:
            return
        index, first = len(self.nodes), call.made[0]
        facts, memory = call.facts(first), self.owner.get(memory_of(first))
        whole = first
        if call.wrote and memory is None and first._base is not None:  # a part of a buffer that nothing was in
            whole = first._base
            facts["shape"] = tuple(whole.shape[1:])
        parameters = sum(self.unseen.pop(id(parameter), 0) for parameter in call.parameters)
        self.nodes.append(Node(index, **facts, parameters=parameters, macs=self.macs, numbers=whole.numel(), memory=memory))
        for tensor in call.made:
            self.owner.setdefault(memory_of(tensor), index)
        self.made_by(index, call, call.made)
