"""What runs in code that torch.jit has compiled, where no function of Python is called: seen one floor down, by torch's dispatcher."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from etude.errors import EtudeError

Seen = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], tuple[Tensor, ...], bool], None]
aten = torch.ops.aten


def is_compiled(module: nn.Module) -> bool:
    """Whether a part of it is compiled by torch.jit, or a function beside its class."""
    return any(isinstance(part, torch.jit.ScriptModule) or any(map(is_function, beside(part))) for part in module.modules())


def beside(part: nn.Module) -> list[Any]:
    """What its `forward` can name."""
    return list(getattr(type(part).forward, "__globals__", {}).values())


def is_function(value: Any) -> bool:
    return isinstance(value, torch.jit.ScriptFunction)


class Dispatched(TorchDispatchMode):
    """Says of every operator that is run while `listening()` which function of torch it is, with which arguments, and what it made."""

    def __init__(self, listening: Callable[[], bool], seen: Seen) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.listening, self.seen = listening, seen

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self.listening():
            if func.overloadpacket in CHANCE:
                raise EtudeError(f"{func.overloadpacket.__name__} under torch.jit: what is left to chance there cannot be followed")
            change = FUNCTIONS.get(func.overloadpacket)
            called, args = change(*args) if change else (func, args)
            made = result if isinstance(result, (tuple, list)) and not change else (result if isinstance(result, Tensor) else result[0],)
            self.seen(called, args, kwargs, tuple(one for one in made if isinstance(one, Tensor)), func._schema.is_mutable)
        return result


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, *more: Any) -> Any:
    return F.conv2d, (x, weight, bias, stride, padding, dilation, more[-1])


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *more: Any) -> Any:
    return F.batch_norm, (x, mean, variance, weight, bias, *more)


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: (function, args)


CHANCE = {aten.native_dropout, aten.bernoulli, aten.bernoulli_, aten.rand_like}
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    aten.convolution: convolution,
    aten.native_batch_norm: batch_norm,
    aten.relu: as_it_is(torch.relu),
    aten.relu_: as_it_is(torch.relu_),
    aten.sigmoid: as_it_is(torch.sigmoid),
    aten.add: as_it_is(torch.add),
    aten.add_: as_it_is(Tensor.add_),
    aten.mul: as_it_is(torch.mul),
    aten.cat: as_it_is(torch.cat),
    aten.mean: as_it_is(torch.mean),
    aten.view: as_it_is(Tensor.reshape),
    aten.max_pool2d_with_indices: as_it_is(F.max_pool2d),
    aten.avg_pool2d: as_it_is(F.avg_pool2d),
    aten.constant_pad_nd: lambda x, sides, value=0: (F.pad, (x, sides, "constant", value)),
}
