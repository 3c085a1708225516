"""What is done to somebody's module before it runs: a copy is made, what only makes it faster is taken off, what it hides is registered."""

import contextlib
import copy
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CellType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def copied(module: nn.Module) -> nn.Module:
    """A copy to work on; the module itself where it cannot be copied.

    What is computed from parameters and kept, as a parametrised weight is, torch copies only without its past, parameters in
    compiled code not as such, and Python no function, which may hold layers in its closure.
    """
    held = [value for part in module.modules() for value in within(vars(part))]
    computed = [value for value in held if isinstance(value, Tensor) and not value.is_leaf]
    functions = [value for value in held if isinstance(value, FunctionType)]
    known: dict[int, Any] = {id(value): value.detach().clone() for value in computed}
    known |= {id(function): unfilled(function) for function in functions}
    try:
        made = copy.deepcopy(module, known)
        for function in functions:
            fill(known[id(function)], function, known)
    except Exception:
        return module
    for parameter, own in zip(made.parameters(), module.parameters(), strict=True):
        if type(parameter) is Tensor:
            parameter.detach_().requires_grad_(own.requires_grad)._is_param = True  # by which isinstance knows it
    return made


def within(value: Any) -> Iterator[Any]:
    """What a list, tuple or dict holds, and what a function does in its closure and in the defaults of its arguments; to any depth."""
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple, set)):
            waiting += value
        elif isinstance(value, functools.partial):
            waiting += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, FunctionType) and not value.__module__.startswith("torch."):
            waiting += [cell.cell_contents for cell in value.__closure__ or () if is_filled(cell)]
            waiting += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]


def is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def unfilled(function: FunctionType) -> FunctionType:
    """The same function, with nothing in its closure yet."""
    closure = tuple(CellType() for _ in function.__closure__ or ())
    made = FunctionType(function.__code__, function.__globals__, function.__name__, None, closure)
    functools.update_wrapper(made, function)
    return made


def fill(made: FunctionType, function: FunctionType, known: dict[int, Any]) -> None:
    """Give a copy of a function copies of what the function holds."""
    for cell, own in zip(made.__closure__ or (), function.__closure__ or (), strict=True):
        if is_filled(own):
            cell.cell_contents = copy.deepcopy(own.cell_contents, known)
    made.__defaults__ = copy.deepcopy(function.__defaults__, known)
    made.__kwdefaults__ = copy.deepcopy(function.__kwdefaults__, known)


def bare(module: nn.Module) -> nn.Module:
    """The module without torch.compile and DataParallel, which change no result; its parts are exchanged in place."""
    if isinstance(module, torch.jit.ScriptModule):
        return module
    for name, part in module._modules.items():
        module._modules[name] = None if part is None else bare(part)
    for name, value in list(vars(module).items()):
        method = getattr(value, "_torchdynamo_orig_callable", None)
        if isinstance(method, MethodType):  # of the module that this one is a copy of
            setattr(module, name, MethodType(method.__func__, module))
    around = "_orig_mod" in module._modules or isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel))
    return next(module.children()) if around else module


def on_the_processor(module: nn.Module) -> nn.Module:
    """The module on the processor, where the images are."""
    if any(tensor.device.type not in ("cpu", "meta") for tensor in (*module.parameters(), *module.buffers())):
        module.cpu()
    return module


def noise_for(module: nn.Module, count: int, image: Sequence[int]) -> Tensor:
    """Random images of that shape, in float64 for a module all of whose weights are."""
    types = {own.dtype for own in module.parameters()}
    return torch.randn(count, *image, dtype=torch.float64 if types == {torch.float64} else None)


def eagerly() -> contextlib.AbstractContextManager[Any]:
    """Within it nothing is compiled, functions with the decorator neither."""
    may_be = "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance")
    return torch.compiler.set_stance("force_eager") if may_be else contextlib.nullcontext()


SMALLER = (torch.float32, torch.float16, torch.bfloat16, torch.FloatTensor, torch.HalfTensor, "torch.FloatTensor", "torch.HalfTensor")


class InFloat64(TorchFunctionMode):
    """Where a module is made one of float64, what it converts to a smaller type on the way is float64 too: `x.float()`, `x.half()`,
    `dtype=torch.float32`, `x.type(torch.FloatTensor)`.
    """

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        func = Tensor.double if func in (Tensor.float, Tensor.half, Tensor.bfloat16) else func
        return func(*map(as_float64, args), **{key: as_float64(value) for key, value in (kwargs or {}).items()})


def as_float64(value: Any) -> Any:
    is_type = isinstance(value, (torch.dtype, type, str))  # of others, == may be anything
    return torch.float64 if is_type and value in SMALLER else value


def in_mode(module: nn.Module, *, training: bool) -> nn.Module:
    """The module, in that mode: a `train` of its own may return nothing."""
    module.train(training)
    return module


@contextlib.contextmanager
def without_graph(module: nn.Module) -> Iterator[None]:
    """Within it gradients are enabled, for code that goes by whether they are, and no graph is kept for them."""
    wanted = [own for own in module.parameters() if own.requires_grad]
    for own in wanted:
        own.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for own in wanted:
            own.requires_grad_(True)


def in_its_type() -> contextlib.AbstractContextManager[Any]:
    """Within it a module runs in the type that is torch's default now, whatever it converts to on the way."""
    return InFloat64() if torch.get_default_dtype() is torch.float64 else contextlib.nullcontext()


def register_listed(module: nn.Module) -> list[str]:
    """Register layers and parameters in plain lists, tuples and dicts, so that they can be followed; the names of those that matter.

    No optimiser would see them, and `.to(device)` and `.eval()` would leave them as they are.
    """
    known: set[Any] = {*module.modules(), *module.parameters()}
    found = []
    for part in list(module.modules()):
        for name, value in list(vars(part).items()):
            if isinstance(value, (list, tuple, dict)) and not name.startswith("_"):
                for number, item in enumerate(value.values() if isinstance(value, dict) else value):
                    if isinstance(item, (nn.Module, nn.Parameter)) and item not in known:
                        setattr(part, f"{name}_{number}", item)
                        known.add(item)
                        if isinstance(item, nn.Parameter) or follows(item):
                            found.append(name)
    return list(dict.fromkeys(found))


def follows(module: nn.Module) -> bool:
    """Whether it makes a difference that a layer is registered: it has numbers, or may be another one in eval mode."""
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase, nn.RReLU)
    others = (part for part in module.modules() if isinstance(part, kinds) or not type(part).__module__.startswith("torch.nn."))
    return any(True for _ in (*module.parameters(), *module.buffers(), *others))


def plain_tensors(module: nn.Module) -> list[tuple[nn.Module, str, Tensor]]:
    """Tensors that stand in a module as Python attributes: where, under which name, which."""
    known = {id(own) for own in (*module.parameters(), *module.buffers())}
    parts = [part for part in module.modules() if not isinstance(part, torch.jit.ScriptModule)]
    return [
        (part, name, value)
        for part in parts
        for name, value in vars(part).items()
        if isinstance(value, Tensor) and id(value) not in known and name.isidentifier() and not hasattr(type(part), name)
    ]


def register_tensors(plain: Sequence[tuple[nn.Module, str, Tensor]]) -> tuple[list[str], set[int]]:
    """Register those that are still there, so that they follow the module to another type.

    Gives the names of those that want a gradient, as weights do, and the ids of what all have become.
    """
    wanted, made = list[str](), dict[int, Tensor]()
    for part, name, value in plain:
        if vars(part).get(name) is value:
            delattr(part, name)
            weight = value.requires_grad and value.is_leaf
            own = made.setdefault(id(value), nn.Parameter(value.detach()) if weight else value.detach())
            if weight:
                part.register_parameter(name, own)  # type: ignore[arg-type]
                wanted.append(name)
            else:
                part.register_buffer(name, own, persistent=False)
    return wanted, {id(own) for own in made.values()}
