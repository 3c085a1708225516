"""What each function of torch is, in the few words of the graph.

A description takes the arguments of the call and its result, and gives the facts of a Node that follow from them.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

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
        "dilation": square(argument(args, kwargs, 5, "dilation", 1)),
        "groups": argument(args, kwargs, 6, "groups", 1),
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
    return {"op": "scale", "factor": factors[0]} if factors else {"op": "multiply"}


def reversed_subtraction(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """`1 - gate` calls the gate's own method, with 1 as its argument."""
    return {"op": "one_minus" if args[1] == 1 and not isinstance(args[1], Tensor) else "other"}


def subtraction(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "one_minus" if not isinstance(args[0], Tensor) and args[0] == 1 else "other"}


def dropout(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "dropout", "factor": argument(args, kwargs, 1, "p", 0.5)}


def local_response_norm(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "local_response_norm", "kernel": argument(args, kwargs, 1, "size")}


def adaptive_pool(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "global_avg_pool" if set(result.shape[2:]) == {1} else "adaptive_avg_pool"}


def slices(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """`x[:, :, ::2, ::2]` keeps every second pixel."""
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    if not all(isinstance(part, slice) or part is ... for part in index):
        return {"op": "other"}
    return {"op": "slice", "stride": square([part.step or 1 for part in index[-2:] if isinstance(part, slice)])}


def pad(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    sides = argument(args, kwargs, 1, "pad")
    return {"op": "pad", "padding": square(list(sides)[:4]) if any(list(sides)[:4]) else None}


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
    **dict.fromkeys((F.dropout, torch.dropout), dropout),
    **dict.fromkeys((torch.sigmoid, F.sigmoid, Tensor.sigmoid), plain("sigmoid")),
    **dict.fromkeys((torch.rsub, Tensor.__rsub__), reversed_subtraction),
    **dict.fromkeys((torch.sub, torch.subtract), subtraction),
    F.local_response_norm: local_response_norm,
    F.adaptive_avg_pool2d: adaptive_pool,
    Tensor.__getitem__: slices,
    F.pad: pad,
}
