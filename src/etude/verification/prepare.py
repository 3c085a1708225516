"""What is done to somebody's module before it runs: a copy is made, what only makes it faster is taken off, what it hides is registered."""

import contextlib
import copy
import sys
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn


def copied(module: nn.Module) -> nn.Module:
    """A copy to work on. A module that cannot be copied is worked on itself.

    What is computed from parameters and kept, as a parametrised weight is, torch copies only without its past, and parameters in
    compiled code not as such.
    """
    computed = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor) and not value.is_leaf]
    try:
        made = copy.deepcopy(module, {id(value): value.detach().clone() for value in computed})
    except Exception:
        return module
    for parameter, own in zip(made.parameters(), module.parameters(), strict=True):
        if type(parameter) is Tensor:
            parameter.detach_().requires_grad_(own.requires_grad)._is_param = True  # by which isinstance knows it
    return made


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


def eagerly() -> contextlib.AbstractContextManager[Any]:
    """Within it nothing is compiled, functions with the decorator neither."""
    may_be = "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance")
    return torch.compiler.set_stance("force_eager") if may_be else contextlib.nullcontext()


def register_listed(module: nn.Module) -> list[str]:
    """Register layers and parameters in plain lists, tuples and dicts, so that they can be followed like others; their names.

    No optimiser would see them, and `.to(device)` would leave them where they are.
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
                        found.append(name)
    return list(dict.fromkeys(found))
