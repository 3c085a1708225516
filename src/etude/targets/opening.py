"""Makes the module that a target names. Code in files and in packages runs here, in this process."""

import contextlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from etude.errors import EtudeError, UsageError, nearest
from etude.targets.target import Target

Made = tuple[nn.Module, tuple[int, int, int] | None]


@contextlib.contextmanager
def opened(target: Target, *, weights: bool = True) -> Iterator[Made]:
    """The module that a target names, and the shape of its images where that is known.

    weights  whether a registered network needs any; without, it is on the meta device. A run has trained its own.
    Code in a file runs as by `python my_net.py`; within the context it can import the modules beside it.
    Raises  EtudeError for code that cannot be run, for what is no module and for what is no run, UsageError for a name that is not there.
    """
    match target.kind:
        case "network":
            yield target.network.build() if weights else target.network.without_weights(), target.network.input
        case "run":
            from etude.train.trained import load

            trained = load(target.place)
            yield trained.module, trained.image
        case "file":
            with imported(Path(target.place)) as home:
                yield built(target, home), None
        case "module":
            yield built(target, importable(target.place)), None


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


def importable(name: str) -> ModuleType:
    """Something installed, by its name in Python."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"no module `{name}`; expected a registered network (etude ls), FILE.py:CALLABLE or MODULE:CALLABLE"
            ) from error
        raise EtudeError(f"{name} cannot be imported: {what_happened(error)}") from error


def built(target: Target, home: ModuleType) -> nn.Module:
    """What stands in `home` under the target's name: a module, or what a class or function makes of the target's arguments."""
    found = member(target, home)
    if isinstance(found, nn.Module):
        if target.arguments or target.options:
            raise UsageError(f"{target.place}:{target.name} is a module already; it takes no options")
        return found
    made = called(target, found, home)
    if not isinstance(made, nn.Module):
        raise EtudeError(f"{target} gives a {type(made).__name__}, expected a torch.nn.Module")
    return made


def member(target: Target, home: ModuleType) -> Any:
    if not hasattr(home, target.name):
        own = [key for key, value in vars(home).items() if callable(value) and getattr(value, "__module__", "") == home.__name__]
        raise UsageError(f"{target.place} has no `{target.name}`; {nearest(target.name, own)}")
    return getattr(home, target.name)


def called(target: Target, factory: Any, home: ModuleType) -> Any:
    if not callable(factory):
        raise EtudeError(f"{target} is a {type(factory).__name__}, expected a class, a function or a torch.nn.Module")
    if missing := missing_arguments(target, factory):
        example = f"{target.place}:{target.name}({', '.join(f'{name}=…' for name in missing)})"
        raise UsageError(f"{target} needs {', '.join(missing)}; give it as in '{example}'")
    try:
        return factory(*target.arguments, **target.options)
    except (Exception, SystemExit) as error:
        raise EtudeError(f"{target} cannot be made: {what_happened(error, Path(home.__file__ or ''))}") from error


def missing_arguments(target: Target, factory: Any) -> list[str]:
    """The arguments without a default that the target does not give."""
    try:
        signature = inspect.signature(factory)
        given = signature.bind_partial(*target.arguments, **target.options).arguments
    except (TypeError, ValueError):  # not written in Python, or given what it does not take, which the call will say
        return []
    named = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [p.name for p in named if p.default is p.empty and p.name not in given]


def what_happened(error: BaseException, file: Path | None = None) -> str:
    """An exception in one line, with the line of `file` that it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if file and Path(frame.filename).name == file.name]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    text = error.msg if isinstance(error, SyntaxError) else next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}{f': {text}' if text else ''}{f' (line {line})' if line else ''}"
