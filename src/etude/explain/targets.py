"""What a person wants explained: a registered network by name, or a module in a file of their own."""

import contextlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from etude.errors import EtudeError, UsageError, nearest
from etude.models import registry

Made = tuple[nn.Module, tuple[int, int, int] | None]


def module_of(target: str, options: Mapping[str, Any]) -> Made:
    """The module that `target` names, as `opened` gives it, where its code imports nothing later."""
    with opened(target, options) as made:
        return made


@contextlib.contextmanager
def opened(target: str, options: Mapping[str, Any]) -> Iterator[Made]:
    """The module that `target` names, built with `options`, and the shape of its images where that is known.

    target  "resnet50", or "my_net.py:ResNet20": a class, a function that makes a module, or a module
    A registered network comes without weights, on the meta device. Code in a file runs in this process, as by `python my_net.py`; within
    the context it can import the modules beside it.
    Raises  EtudeError for a file that cannot be run and for what is no module, UsageError for a name that is not there.
    """
    if target.endswith(".py"):
        raise UsageError(f"{target}: which class or function? Write {target}:NAME")
    file, colon, name = target.rpartition(":")
    if not colon:
        with torch.device("meta"):
            made = registry.build(target, **options)
        yield made, registry.row(target).input
    elif not file.endswith(".py"):
        raise UsageError(f"{target}: expected FILE.py:NAME, or the name of a network (etude ls)")
    else:
        with imported(Path(file)) as module:
            yield built(member(module, name, file), options, target), None


@contextlib.contextmanager
def imported(file: Path) -> Iterator[ModuleType]:
    """The file as a Python module; within the context it is among the imported ones, and can import those beside it."""
    if not file.is_file():
        raise EtudeError(f"{file}: no such file")
    name = file.stem
    while name in sys.modules:  # a file may be called `types.py`
        name += "_"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise EtudeError(f"{file}: is no Python file")
    module, folder = importlib.util.module_from_spec(spec), str(file.parent.resolve())
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # somebody's folder stays as it is
    sys.path.insert(0, folder)
    sys.modules[name] = module
    try:
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise EtudeError(f"{file} cannot be imported: {what_happened(error, file)}") from error
        yield module
    finally:
        sys.dont_write_bytecode = before
        with contextlib.suppress(ValueError):  # the code may have taken it out
            sys.path.remove(folder)
        sys.modules.pop(name, None)


def built(made: Any, options: Mapping[str, Any], target: str) -> nn.Module:
    """What stands in the file as a module, called with `options` where it is a class or function."""
    if not isinstance(made, nn.Module):
        made = called(made, options, target)
    elif options:
        raise UsageError(f"{target} is a module already; it takes no options")
    if not isinstance(made, nn.Module):
        raise EtudeError(f"{target} gives a {type(made).__name__}, expected a torch.nn.Module")
    return made


def member(module: ModuleType, name: str, file: str) -> Any:
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if callable(value) and getattr(value, "__module__", "") == module.__name__]
        raise UsageError(f"{file} has no `{name}`; {nearest(name, own)}")
    return getattr(module, name)


def called(factory: Callable[..., Any], options: Mapping[str, Any], target: str) -> Any:
    if not callable(factory):
        raise EtudeError(f"{target} is a {type(factory).__name__}, expected a class, a function or a torch.nn.Module")
    if missing := [name for name in required(factory) if name not in options]:
        raise UsageError(f"{target} needs {', '.join(missing)}; add {' '.join(f'--set {name}=…' for name in missing)}")
    try:
        return factory(**options)
    except (Exception, SystemExit) as error:
        raise EtudeError(f"{target} cannot be made: {what_happened(error, Path(target.rpartition(':')[0]))}") from error


def required(factory: Callable[..., Any]) -> list[str]:
    """The arguments without a default."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # not written in Python
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def what_happened(error: BaseException, file: Path) -> str:
    """An exception in one line, with the line of `file` that it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == file.name]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    text = error.msg if isinstance(error, SyntaxError) else next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}{f': {text}' if text else ''}{f' (line {line})' if line else ''}"
