"""One run of a module, recorded as a list of operators in whatever style the module is written.

Functional calls and modules look the same here, because both end in the functions of torch that a `TorchFunctionMode` sees.
"""

import contextlib
import copy
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from etude.errors import EtudeError
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.operators import FORMULAS, OPERATORS, WITHOUT_NUMBERS

T = TypeVar("T")
META = torch.device("meta")
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


Run = Callable[[nn.Module, Shape, torch.device], T]


def on_a_copy(module: nn.Module, input_shape: Shape, run: Run[T]) -> T:
    """What `run` gives for a copy of the module on the meta device; where that fails, for one on the module's own device.

    A module that cannot be copied runs itself, and has its modes and buffers restored.
    Raises what the second run raises, and DoesNotRun for compiled code.
    """
    if any(isinstance(part, torch.jit.ScriptModule) or "_orig_mod" in part._modules for part in module.modules()):
        raise DoesNotRun(f"{type(module).__name__} cannot be recorded: it is compiled; give the module that it was compiled from")
    with torch.inference_mode(False), torch.enable_grad():
        module = initialised(module, input_shape)
        with contextlib.suppress(Exception):
            return run(copy_on_meta(module), input_shape, META)
        module = copy_or_itself(module)
        with restored(module):
            return run(module, input_shape, device_of(module))


def device_of(module: nn.Module) -> torch.device:
    return next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))


def initialised(module: nn.Module, input_shape: Shape) -> nn.Module:
    """The module; in place of one with lazy layers a copy that has seen an image. Raises DoesNotRun where it cannot be copied."""
    if not any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        return module
    try:
        module = copy.deepcopy(module).eval()
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
        recorder = Recorder(x, module, counter.get_total_flops)
        with paths_noted(module, recorder.path), recorder:
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


class Recorder(TorchFunctionMode):
    """Sees every function of torch that is called while it is active, and keeps those that make new tensors or write into old ones.

    flops  how many floating-point operations have been counted so far
    """

    def __init__(self, x: Tensor, module: nn.Module, flops: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self.flops = flops
        self.nodes: list[Node] = []
        self.source = {id(x): -1}  # the node that made a tensor
        self.owner = {memory_of(x): -1}  # the node that first had a piece of memory
        self.writer: dict[int, int] = {}  # the node that last wrote into one
        self.alive: list[Any] = [x]  # an id stays unique only while its tensor lives
        self.unseen = {id(p): p.numel() for p in module.parameters()}
        self.weights = {index: {index} for index in self.unseen}  # the parameters that a tensor was made from, and from nothing else
        self.path = [""]

    def origin(self, tensor: Tensor) -> int | None:
        """The node whose result a tensor holds: the one that made it, or the last that wrote into its memory since."""
        found = (self.source.get(id(tensor)), self.writer.get(memory_of(tensor)))
        return max((index for index in found if index is not None), default=None)

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_in((args, tuple(kwargs.values()))))
        versions, flops = [version(tensor) for tensor in given], self.flops()
        result = func(*args, **kwargs)
        wrote = [version(tensor) for tensor in given] != versions
        if not wrote and func in OPERATORS and any(result is tensor for tensor in given):
            result = result.view_as(result)  # dropout in eval mode gives its input back; the two are different places
        made = list(tensors_in(args[:1] if result is None else result))
        if func not in WITHOUT_NUMBERS and (wrote or any(id(tensor) not in self.source for tensor in made)):
            self.record(func, args, kwargs, given, made, wrote, (self.flops() - flops) // 2)
        return result

    def record(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: list[Tensor],
        made: list[Tensor],
        wrote: bool,
        macs: int,
    ) -> None:
        """Add the operator that made these tensors, or wrote into them: one, but for functions such as `chunk` and `max`."""
        origins = [self.origin(tensor) for tensor in given]
        inputs = tuple(dict.fromkeys(index for index in origins if index is not None))
        weights = set[int]().union(*(self.weights.get(id(tensor), ()) for tensor in given))
        if inputs or weights:
            self.alive.append((made, given))
        if not inputs or not made:
            self.weights |= {id(tensor): weights for tensor in made}
            return
        describe = OPERATORS.get(func)
        facts = describe(args, kwargs, made[0]) if describe else {"op": "other"}
        index, memory = len(self.nodes), self.owner.get(memory_of(made[0]))
        whole = made[0]._base if wrote and memory is None else None  # a part of a buffer that nothing was in
        self.nodes.append(
            Node(
                index,
                facts.pop("op"),
                self.path[-1],
                inputs,
                tuple((made[0] if whole is None else whole).shape[1:]),
                parameters=sum(self.unseen.pop(parameter, 0) for parameter in weights),
                macs=macs,
                name=name_of(func),
                memory=memory,
                **facts,
            )
        )
        for tensor in made:
            self.source[id(tensor)] = index
            self.owner.setdefault(memory_of(tensor), index)
            if wrote:
                self.writer[memory_of(tensor)] = index


@contextlib.contextmanager
def paths_noted(module: nn.Module, path: list[str]) -> Iterator[None]:
    """Keep the path of the module that is running at the end of `path`, by hooks that are removed again."""
    handles = []
    for name, child in module.named_modules():
        handles.append(child.register_forward_pre_hook(lambda *_, name=name: path.append(name)))
        handles.append(child.register_forward_hook(lambda *_: void(path.pop())))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def name_of(func: Callable[..., Any]) -> str:
    """`conv2d`; of a property such as `x.T`, `T`."""
    name = getattr(func, "__name__", str(func))
    return getattr(getattr(func, "__self__", None), "__name__", name) if name == "__get__" else name


def memory_of(tensor: Tensor) -> int:
    """A number for the memory that a tensor lies in, the same for its views; of a sparse tensor one that it has to itself."""
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return -id(tensor)


def version(tensor: Tensor) -> int:
    """How often a tensor has been written into."""
    return 0 if tensor.is_inference() else tensor._version


def void(_: object) -> None:
    """A forward hook that returns a value would replace the module's output."""


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists, dicts and dataclasses."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in([getattr(value, field.name, None) for field in dataclasses.fields(value)])
