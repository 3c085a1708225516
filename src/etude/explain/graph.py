"""One run of a module, recorded as a list of operators in whatever style the module is written.

Functional calls and modules look the same here, because both end in the functions of torch that a `TorchFunctionMode` sees.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    index       position in order of execution
    op          conv, linear, batch_norm, relu, max_pool, avg_pool, global_avg_pool, flatten, scale, concat, add, dropout, or other
    path        of the module it ran in: "incep1.branch5x5_2"; "" for the outermost
    inputs      indices of the nodes whose results it uses; -1 is the network's input
    shape       of the output, without the batch
    kernel, stride, padding   pixels; None where they mean nothing, a pair where height and width differ
    bias        whether a convolution or linear layer has one
    factor      of a scaling by a number
    parameters  scalars that are learned and first used here
    macs        multiply-adds for one image, biases not counted
    name        the function of torch
    """

    index: int
    op: str
    path: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] | str | None = None
    bias: bool = False
    factor: float | None = None
    parameters: int = 0
    macs: int = 0
    name: str = ""


@dataclass(frozen=True)
class Graph:
    """The operators of one run, in order; `parameters` counts every parameter of the module, used or not."""

    input: Shape
    nodes: tuple[Node, ...]
    parameters: int

    @property
    def macs(self) -> int:
        return sum(node.macs for node in self.nodes)


def graph(module: nn.Module, input_shape: Shape) -> Graph:
    """Run a copy of `module` once on the meta device, in eval mode, and record its operators.

    input_shape  (channels, height, width) of one image
    Neither data nor weights are touched, and the module stays as it is.
    Raises  whatever the module's forward raises for an input of that shape.
    """
    with torch.device("meta"):
        module = copy.deepcopy(module).to("meta").eval()
        x = torch.empty(1, *input_shape)
    recorder = Recorder(x, module)
    with torch.no_grad(), recorder.paths(module), recorder:
        module(x)
    return Graph(input_shape, tuple(recorder.nodes), sum(p.numel() for p in module.parameters()))


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


# ── What each function of torch is ───────────────────────────────────────────────────────────────────────────────────

Describe = Callable[[tuple[Any, ...], dict[str, Any], Tensor], dict[str, Any]]


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, default: Any = None) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def square(value: Any) -> Any:
    """(3, 3) as 3; anything else as it is."""
    if isinstance(value, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return value


def conv(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    weight = argument(args, kwargs, 1, "weight")
    return {
        "op": "conv",
        "kernel": square(tuple(weight.shape[2:])),
        "stride": square(argument(args, kwargs, 3, "stride", 1)),
        "padding": square(argument(args, kwargs, 4, "padding", 0)),
        "bias": argument(args, kwargs, 2, "bias") is not None,
        "macs": math.prod(result.shape[2:]) * weight.numel(),
    }


def linear(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    weight = argument(args, kwargs, 1, "weight")
    return {"op": "linear", "bias": argument(args, kwargs, 2, "bias") is not None, "macs": weight.numel()}


def pool(op: str) -> Describe:
    def describe(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
        kernel = argument(args, kwargs, 1, "kernel_size")
        stride = argument(args, kwargs, 2, "stride")
        stride = kernel if stride is None or stride == [] else stride
        return {"op": op, "kernel": square(kernel), "stride": square(stride), "padding": square(argument(args, kwargs, 3, "padding", 0))}

    return describe


def plain(op: str) -> Describe:
    return lambda args, kwargs, result: {"op": op}


def add(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "add" if all(isinstance(a, Tensor) for a in args[:2]) else "other"}


def multiply(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    factors = [float(a) for a in args[:2] if isinstance(a, (int, float))]
    return {"op": "scale", "factor": factors[0]} if factors else {"op": "other"}


def mean(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    dim = argument(args, kwargs, 1, "dim", ())
    spatial = isinstance(dim, (tuple, list)) and {d % 4 for d in dim} == {2, 3} and args[0].dim() == 4
    return {"op": "global_avg_pool" if spatial else "other"}


def reshape(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "flatten" if result.dim() == 2 else "other"}


OPERATORS: dict[Any, Describe] = {
    **dict.fromkeys((F.conv2d, torch.conv2d), conv),
    F.linear: linear,
    **dict.fromkeys((F.batch_norm, torch.batch_norm), plain("batch_norm")),
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), plain("relu")),
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), pool("max_pool")),
    F.avg_pool2d: pool("avg_pool"),
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), plain("concat")),
    **dict.fromkeys((torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__), add),
    **dict.fromkeys((torch.mul, Tensor.mul, Tensor.mul_, Tensor.__mul__, Tensor.__rmul__, Tensor.__imul__), multiply),
    **dict.fromkeys((torch.mean, Tensor.mean), mean),
    **dict.fromkeys((torch.flatten, Tensor.flatten, Tensor.view, Tensor.reshape, torch.reshape), reshape),
    F.dropout: plain("dropout"),
}
