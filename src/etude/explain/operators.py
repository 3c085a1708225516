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


def operands(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The two sides of an addition and its like, numbers or tensors."""
    return argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "other")


def square(value: Any) -> Any:
    """(3, 3) as 3; anything else as it is."""
    if isinstance(value, (tuple, list)):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return value


def conv(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    kernel, dilation = square(tuple(argument(args, kwargs, 1, "weight").shape[2:])), square(argument(args, kwargs, 5, "dilation", 1))
    padding = square(argument(args, kwargs, 4, "padding", 0))
    if padding == "same" and isinstance(kernel, int) and isinstance(dilation, int) and kernel % 2:
        padding = dilation * (kernel - 1) // 2
    return {
        "op": "conv",
        "kernel": kernel,
        "stride": square(argument(args, kwargs, 3, "stride", 1)),
        "padding": 0 if padding == "valid" else padding,
        "bias": argument(args, kwargs, 2, "bias") is not None,
        "dilation": dilation,
        "groups": argument(args, kwargs, 6, "groups", 1),
    }


def linear(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "linear", "bias": argument(args, kwargs, 2, "bias") is not None}


def pool(op: str) -> Describe:
    def describe(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
        kernel = argument(args, kwargs, 1, "kernel_size")
        stride = argument(args, kwargs, 2, "stride")
        stride = kernel if stride is None or stride == [] else stride
        padding, counts = square(argument(args, kwargs, 3, "padding", 0)), {}
        if op == "avg_pool":
            ceil = argument(args, kwargs, 4, "ceil_mode", False)
            counts = {"zeros": padding == 0 or bool(argument(args, kwargs, 5, "count_include_pad", True))}
        else:
            ceil = argument(args, kwargs, 5, "ceil_mode", False)
            counts = {"dilation": square(argument(args, kwargs, 4, "dilation", 1))}
        return {"op": op, "kernel": square(kernel), "stride": square(stride), "padding": padding, "ceil": bool(ceil), **counts}

    return describe


def plain(op: str) -> Describe:
    return lambda args, kwargs, result: {"op": op}


def batch_norm(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "batch_norm", "constants": (argument(args, kwargs, 7, "eps", 1e-5),)}


def add(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    if not all(isinstance(operand, Tensor) for operand in operands(args, kwargs)):
        return {"op": "other"}
    factor = kwargs.get("alpha", 1)
    return {"op": "add"} if factor == 1 else {"op": "add", "factor": float(factor)}


def multiply(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    factors = [float(operand) for operand in operands(args, kwargs) if isinstance(operand, (int, float))]
    return {"op": "scale", "factor": factors[0]} if factors else {"op": "multiply"}


def subtraction(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "one_minus" if is_one(operands(args, kwargs)[0]) and is_one(kwargs.get("alpha", 1)) else "other"}


def reversed_subtraction(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """`1 - gate` calls the gate's own method, with 1 as its argument."""
    return subtraction(operands(args, kwargs)[::-1], {"alpha": kwargs.get("alpha", 1)}, result)


def is_one(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 1


def dropout(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "dropout", "factor": argument(args, kwargs, 1, "p", 0.5)}


def local_response_norm(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    constants = tuple(argument(args, kwargs, *where) for where in ((2, "alpha", 1e-4), (3, "beta", 0.75), (4, "k", 1.0)))
    return {"op": "local_response_norm", "kernel": argument(args, kwargs, 1, "size"), "constants": constants}


def adaptive_pool(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    return {"op": "global_avg_pool" if set(result.shape[2:]) == {1} else "adaptive_avg_pool"}


def slices(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """`x[:, :, ::2, ::2]` keeps every second pixel, `x[:, 4:]` all channels but the first four."""
    x, given = args
    index = [*given] if isinstance(given, tuple) else [given]
    if not all(isinstance(part, slice) or part is ... for part in index):
        return {"op": "other"}
    at = index.index(...) if ... in index else len(index)
    index[at : at + 1] = [slice(None)] * (x.dim() - len(index) + (... in index))
    starts, _, steps = zip(*(part.indices(side) for part, side in zip(index, x.shape, strict=True)), strict=True)
    if index[0] != slice(None) or set(steps[:2]) != {1}:
        return {"op": "other"}
    return {"op": "slice", "stride": square(steps[2:]) or None, "first": starts[1:]}


def pad(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """Zeros around the pixels, or channels of zeros; torch counts the sides from the last dimension."""
    sides, dims = list(argument(args, kwargs, 1, "pad")), result.dim()
    sides += [0] * (2 * dims - len(sides))
    pixels, channels, batch = sides[: 2 * dims - 4], sides[2 * dims - 4 : 2 * dims - 2], sides[2 * dims - 2 :]
    if (mode := argument(args, kwargs, 2, "mode", "constant")) != "constant":
        return {"op": "other", "name": f"{mode} pad", "padding": square(pixels)}
    if any(batch):
        return {"op": "other"}
    if (value := argument(args, kwargs, 3, "value")) and math.isfinite(value) and not any(channels):
        return {"op": "other", "name": f"{value:g} pad", "padding": square(pixels)}
    if value:
        return {"op": "other"}
    return {"op": "pad", "padding": square(pixels) if any(pixels) else None, "channels": tuple(channels)}


def mean(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    x, dim = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "dim")
    spatial = isinstance(dim, (tuple, list)) and x.dim() == 4 and {d % 4 for d in dim} == {2, 3}
    return {"op": "global_avg_pool" if spatial else "other"}


def reshape(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    same_batch = result.shape[:1] == argument(args, kwargs, 0, "input").shape[:1]
    return {"op": "flatten" if result.dim() == 2 and same_batch else "other"}


def unfold(args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> dict[str, Any]:
    """The windows that a convolution of these facts would see, as columns."""
    names = (("kernel", 1, "kernel_size", None), ("dilation", 2, "dilation", 1), ("padding", 3, "padding", 0), ("stride", 4, "stride", 1))
    return {"op": "other", **{fact: square(argument(args, kwargs, at, name, default)) for fact, at, name, default in names}}


OPERATORS: dict[Any, Describe] = {
    **dict.fromkeys((F.conv2d, torch.conv2d), conv),
    F.linear: linear,
    **dict.fromkeys((F.batch_norm, torch.batch_norm), batch_norm),
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
    **dict.fromkeys((torch.sub, torch.subtract, Tensor.sub, Tensor.__sub__), subtraction),
    F.local_response_norm: local_response_norm,
    F.adaptive_avg_pool2d: adaptive_pool,
    Tensor.__getitem__: slices,
    F.pad: pad,
    F.unfold: unfold,
}

# What a tensor is made like, its numbers left aside.
WITHOUT_NUMBERS: frozenset[Any] = frozenset(
    {
        *(Tensor.new_empty, Tensor.new_empty_strided, Tensor.new_zeros, Tensor.new_ones, Tensor.new_full),
        *(torch.empty_like, torch.zeros_like, torch.ones_like, torch.full_like, torch.rand_like, torch.randn_like),
    }
)


def matrix_by_vector(matrix: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * math.prod(matrix)


def attention(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: Any, **__: Any) -> int:
    """Every query by every key, and every weight by every value."""
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


# Floating-point operations of what torch's own counter leaves out, by the shapes of the arguments.
FORMULAS: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mv: matrix_by_vector,
    torch.ops.aten.dot: matrix_by_vector,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention,
}
