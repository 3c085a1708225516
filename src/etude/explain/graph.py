"""One run of a module, recorded as a list of operators in whatever style the module is written.

Functional calls and modules look the same here, because both end in the functions of torch that a `TorchFunctionMode` sees.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from etude.errors import EtudeError
from etude.explain.nodes import Graph, Node, Shape
from etude.explain.operators import OPERATORS

T = TypeVar("T")
META = torch.device("meta")
USUAL_SIDES = (28, 32, 64, 96, 128, 224, 256, 299, 384, 512)


class DoesNotRun(EtudeError):
    """A module that cannot take an input of that shape; the message says why, and which shape it takes where one was found."""


def graph(module: nn.Module, input_shape: Shape) -> Graph:
    """Run a copy of `module` once, in eval mode, and record its operators; with auxiliary heads, those too.

    input_shape  (channels, height, width) of one image
    The copy runs on the meta device, without data or weights; code that cannot run there runs on a random image.
    Raises  DoesNotRun where the module does not take an input of that shape.
    """
    return on_a_copy(module, input_shape, recorded)


Run = Callable[[nn.Module, Shape, torch.device], T]


def on_a_copy(module: nn.Module, input_shape: Shape, run: Run[T]) -> T:
    """What `run` gives for a copy of the module on the meta device; where that fails, for one on the module's own device.

    Raises DoesNotRun, with a shape that works where there is one.
    """
    device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
    try:
        return run(copy_on_meta(module), input_shape, META)
    except Exception as error:
        if device == META:
            raise does_not_run(module, input_shape, error) from error
    try:
        return run(copy.deepcopy(module), input_shape, device)
    except Exception as error:
        raise does_not_run(module, input_shape, error) from error


def copy_on_meta(module: nn.Module) -> nn.Module:
    """A copy without memory for its tensors."""
    tensors = (*module.parameters(), *module.buffers())
    with torch.no_grad():
        memo = {id(t): nn.Parameter(t.to("meta"), t.requires_grad) if isinstance(t, nn.Parameter) else t.to("meta") for t in tensors}
    return copy.deepcopy(module, memo)


def does_not_run(module: nn.Module, input_shape: Shape, error: Exception) -> DoesNotRun:
    """What to say of a module that raised `error`."""
    why = next(iter(str(error).strip().splitlines()), "")
    name, shape = type(module).__name__, "×".join(map(str, input_shape))
    return DoesNotRun(f"{name} does not take {shape}: {type(error).__name__}: {why}{what_works(module, input_shape)}")


def what_works(module: nn.Module, input_shape: Shape) -> str:
    """The smallest square image above `input_shape` that the module takes, or any that it takes, in words."""
    copied = copy_on_meta(module)

    def runs(side: int) -> bool:
        try:
            recorded(copied, (input_shape[0], side, side), META)
        except Exception:
            return False
        return True

    too_small = min(input_shape[1:])
    enough = next((side for side in USUAL_SIDES if side > too_small and runs(side)), None)
    if enough is None:
        other = next((side for side in USUAL_SIDES if runs(side)), None)
        return f"; it takes {other}×{other}" if other else ""
    while enough - too_small > 1:
        middle = (enough + too_small) // 2
        too_small, enough = (too_small, middle) if runs(middle) else (middle, enough)
    return f"; the smallest square it takes is {enough}×{enough}"


def recorded(module: nn.Module, input_shape: Shape, device: torch.device) -> Graph:
    """The graph of one run of `module` itself, in eval mode, on that device. Raises what the module raises."""
    module.eval()
    with torch.random.fork_rng(devices=[]), torch.device(device), torch.no_grad():
        x = torch.rand(1, *input_shape)
        recorder = Recorder(x, module)
        with recorder.paths(module), recorder:
            result = getattr(module, "outputs", module)(x)
    outputs = tuple(recorder.source[id(tensor)] for tensor in tensors_in(result) if id(tensor) in recorder.source)
    if not outputs:
        raise TypeError(f"it returns a {type(result).__name__} in which no tensor comes from its input")
    return Graph(input_shape, tuple(recorder.nodes), outputs, sum(p.numel() for p in module.parameters()))


class Recorder(TorchFunctionMode):
    """Sees every function of torch that is called while it is active, and keeps those that make new tensors."""

    def __init__(self, x: Tensor, module: nn.Module) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.source = {id(x): -1}
        self.alive: list[Any] = [x]  # an id stays unique only while its tensor lives
        self.unseen = {id(p): p.numel() for p in module.parameters()}
        self.path = [""]

    @contextlib.contextmanager
    def paths(self, module: nn.Module) -> Iterator[None]:
        """Keep track of the module that is running, by hooks that are removed again."""
        handles = []
        for name, child in module.named_modules():
            handles.append(child.register_forward_pre_hook(lambda *_, name=name: self.path.append(name)))
            handles.append(child.register_forward_hook(lambda *_: void(self.path.pop())))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        made = list(tensors_in(result))
        if made and (func in OPERATORS or any(id(tensor) not in self.source for tensor in made)):  # in place gives an old tensor
            self.record(func, args, kwargs, made)
        return result

    def record(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], made: list[Tensor]) -> None:
        """Add the operator that made these tensors: one, but for functions such as `chunk` and `max`."""
        tensors = list(tensors_in((args, tuple(kwargs.values()))))
        inputs = tuple(dict.fromkeys(self.source[id(t)] for t in tensors if id(t) in self.source))
        if not inputs:
            return  # made from parameters alone
        describe = OPERATORS.get(func)
        facts = describe(args, kwargs, made[0]) if describe else {"op": "other"}
        parameters = sum(self.unseen.pop(id(t), 0) for t in tensors)
        index, shape = len(self.nodes), tuple(made[0].shape[1:])
        name = getattr(func, "__name__", str(func))
        self.nodes.append(Node(index, facts.pop("op"), self.path[-1], inputs, shape, parameters=parameters, name=name, **facts))
        self.source |= {id(tensor): index for tensor in made}
        self.alive.append((made, tensors))


def void(_: object) -> None:
    """A forward hook that returns a value would replace the module's output."""


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))
