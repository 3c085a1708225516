"""Makes the module that a target names. Code in files and in packages runs here, in this process."""

import contextlib
import functools
import importlib
import inspect
import re
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from etude.errors import EtudeError, UsageError, nearest
from etude.source import UNREADABLE, Script, placed
from etude.targets.candidates import Contents, named
from etude.targets.needed import Part
from etude.targets.statement import Statement
from etude.targets.surroundings import CARDS, CouldNotBeMade, OnTheProcessor, Unmade, module_of, without_compiled_parts
from etude.targets.target import Target
from etude.values import Made, Name

READING = ("modules", "named_modules", "children", "named_children", "parameters", "named_parameters", "buffers", "named_buffers")
NOT_THEIRS = ("<", sysconfig.get_path("stdlib"))
MOST_MAKERS = 5  # that a message names
MISSING_OPERATOR = r"operator \w+::\w+ does not exist"


@dataclass(frozen=True)
class Opened:
    """What a target names.

    image  the shape of its images, where that is known
    note   what to say of it: which lines of its file were not run, on which images in another encoding it was trained; "" for nothing
    """

    module: nn.Module
    image: tuple[int, int, int] | None = None
    note: str = ""


@contextlib.contextmanager
def opened(target: Target, *, weights: bool = True, run_all: bool = False) -> Iterator[Opened]:
    """The module that a target names.

    weights  whether a registered network needs any; without, it is on the meta device. A run has trained its own.
    run_all  whether all of a file runs, as by `python my_net.py`, and not only what the target needs
    Within the context the code can import the modules beside it.
    Raises  EtudeError for code that cannot be run, for what is no module and for what is no run, UsageError for a name that is not there.
    """
    match target.kind:
        case "network":
            yield Opened(target.network.build() if weights else target.network.without_weights(), target.network.input)
        case "run":
            from etude.train.trained import load

            trained = load(target.place)
            yield Opened(trained.module, trained.image, trained.note)
        case "file":
            target = named(target)
            part = part_of(Path(target.place), target.first, *target.names, run_all=run_all)
            if not part.needed:
                raise UsageError(f"{target.place} has no `{target.first}`; {nearest(target.first, part.defined)}")
            with imported(part) as home, without_cards(part):
                yield Opened(built(target, home, part), note=part.left_out())
        case "module":
            yield Opened(built(target, importable(target.place)))


def part_of(file: Path, name: str, *others: str, run_all: bool = False) -> Part:
    """What of a script or a notebook a name needs, and `others` that it may have. Raises EtudeError for what is no file of Python."""
    script = Script.read(file)
    try:
        return Part.of(script, name, *others, run_all=run_all)
    except UNREADABLE as error:
        raise EtudeError(f"{file} cannot be imported: {what_happened(error, script)}") from error


@contextlib.contextmanager
def imported(part: Part) -> Iterator[ModuleType]:
    """A part of a file as a Python module, which can import those beside the file; within the context it is among the imported ones.

    Raises  EtudeError where it cannot be run.
    """
    with module_of(part.script) as module:
        with OnTheProcessor():
            for statement in part.needed:
                run(statement, module, part)
        yield module


def without_cards(part: Part) -> contextlib.AbstractContextManager[object]:
    """A context in which code that names a graphics card runs without one; code that names none is not held up."""
    names_card = any(card in part.script.text and card in part.source for card in CARDS)
    return OnTheProcessor() if names_card else contextlib.nullcontext()


def run(statement: Statement, module: ModuleType, part: Part) -> None:
    """Run a statement of a file's top level. Where it fails, the names that it alone would have bound stand for the failure."""
    before = set(vars(module))
    try:
        if not statement.is_compound:
            for value in (vars(module).get(name) for name in statement.reads):
                if isinstance(value, Unmade):
                    value.used()
        exec(statement.code, vars(module))
    except (Exception, SystemExit) as error:
        first = cause_of(error)
        if not statement.binds or statement.binds & before or part.changes[statement]:
            raise failed(part, first) from first
        for name in statement.binds - set(vars(module)):
            setattr(module, name, Unmade(first, what_happened(first, part.script)))


def importable(name: str) -> ModuleType:
    """Something installed, by its name in Python."""
    try:
        with without_compiled_parts():
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"no module `{name}`; {not_found(name, error.name)}") from error
        other_build = "; its compiled part was built for another build of torch: install the one that belongs to torch "
        hint = f"{other_build}{torch.__version__}" if re.search(MISSING_OPERATOR, str(error)) else ""
        raise EtudeError(f"{name} cannot be imported: {what_happened(error)}{hint}") from error


def not_found(name: str, missing: str) -> str:
    """What to do about a module of which the first part that is not there is `missing`."""
    package = name.partition(".")[0]
    if missing != package:
        return f"`{package}` is installed and has no `{missing}`"
    return "install the package that has it, or name a registered network (etude ls) or FILE.py:CALLABLE"


def built(target: Target, home: ModuleType, part: Part | None = None) -> nn.Module:
    """What stands in `home` under the target's name: a module, or what a class or function makes of the target's arguments."""
    found: Any = home
    for name in target.name.split("."):
        found = attribute(target, found, name, home)
        if isinstance(found, Unmade):
            assert part
            raise failed(part, found.error) from found.error
    if isinstance(found, nn.Module):
        if target.arguments or target.options:
            raise UsageError(f"{replace(target, arguments=(), options={})} is a module already; it takes no options")
        return readable(found)
    made = called(target, found, home, part.script if part else None)
    if not isinstance(made, nn.Module):
        raise EtudeError(f"{target} gives a {type(made).__name__}, expected a torch.nn.Module")
    return readable(made)


def readable(module: nn.Module) -> nn.Module:
    """The module. Raises EtudeError where one of its parts keeps something of its own under the name of a method that reads modules."""
    waiting, seen = [module], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:  # parts may know each other
            continue
        seen.add(id(part))
        if name := next((name for name in READING if name in vars(part)), ""):
            kind = type(part).__name__
            raise EtudeError(f"{kind} keeps something of its own as `{name}`, which hides the method of nn.Module: give it another name")
        waiting += [inner for inner in vars(part).get("_modules", {}).values() if inner is not None]
    return module


def attribute(target: Target, of: Any, name: str, home: ModuleType) -> Any:
    """What stands under that name, which a package may import only now."""
    try:
        return getattr(of, name)
    except AttributeError as error:
        there = getattr(of, "__dict__", {}).items()
        own = [key for key, value in there if callable(value) and getattr(value, "__module__", "") == home.__name__]
        raise UsageError(f"{target.place} has no `{target.name}`; {nearest(name, own)}") from error
    except (Exception, SystemExit) as error:
        raise EtudeError(f"{target} cannot be made: {what_happened(error)}") from error


def in_hand(given: Any) -> nn.Module:
    """A module as it is, and what a class or a function of a live session makes without arguments."""
    home = ModuleType("")
    name = getattr(given, "__name__", "module")
    setattr(home, name, given)
    return built(Target("module", name=name), home)


def failed(part: Part, error: BaseException) -> EtudeError:
    """Which line does not run of those that are needed, and what can be done; nothing that we know of about a missing package."""
    happened = what_happened(error, part.script)
    return EtudeError(f"{part.script.file} cannot be imported: {happened}{'' if isinstance(error, ImportError) else way_out(part, error)}")


def way_out(part: Part, error: BaseException) -> str:
    """Around a line that does not run: a file's place, a class that needs no such line, or the whole file."""
    if place := beside(part.script, error):
        return place
    others = [f"name {part.script.file}:{name}(…) with its values" for name in Contents(part.script.tree).whole() if name != part.name]
    return f"; {part.name} needs that line: {' or '.join([*others[:1], 'add --run-all'])}"


def beside(script: Script, error: BaseException) -> str:
    """What to do about a file that stands beside the script, and is opened by its name alone."""
    if not isinstance(error, FileNotFoundError) or script.cells or not (script.file.parent / str(error.filename)).exists():
        return ""
    return f"; it is beside it: open Path(__file__).parent / {error.filename!r}, which is found from whatever folder it runs in"


def called(target: Target, factory: Any, home: ModuleType, script: Script | None) -> Any:
    if not callable(factory):
        raise EtudeError(f"{target} is a {type(factory).__name__}, expected a class, a function or a torch.nn.Module")
    if missing := missing_arguments(target, factory):
        raise UsageError(f"{target} needs {', '.join(missing)}; {with_values(target, missing, script)}")
    try:
        return factory(*looked_up(target.arguments, home), **looked_up(dict(target.options), home))
    except EtudeError:
        raise
    except (Exception, SystemExit) as error:
        cause = cause_of(error)
        if Unmade.__name__ in str(cause):  # torch looks at its type before it uses it
            cause = next((value.error for value in vars(home).values() if isinstance(value, Unmade)), cause)
        raise EtudeError(f"{target} cannot be made: {what_happened(cause, script)}{beside(script, cause) if script else ''}") from cause


def with_values(target: Target, missing: list[str], script: Script | None) -> str:
    """How to make what wants values: a call with them, where a `block` is the one other layer of the file, or a function that has them."""
    contents = Contents(script.tree) if script else None
    blocks = contents.layers_beside(target.name) if contents else []
    known = {"block": blocks[0]} if len(blocks) == 1 else {}
    values = ", ".join(f"{name}={known.get(name, '…')}" for name in missing)
    ready = list(contents.makers(target.name))[:MOST_MAKERS] if contents else []
    or_ready = f", or name what makes it: {', '.join(ready)}" if ready else ""
    return f"give it as in '{replace(target, arguments=(), options={})}({values})'{or_ready}"


def looked_up(value: Any, home: ModuleType) -> Any:
    """A value as somebody has typed it, with what `home` has under the names in it; other names are texts."""
    match value:
        case Name():
            first, *attributes = value.split(".")
            if not hasattr(home, first):
                return str(value)
            return functools.reduce(getattr, attributes, getattr(home, first))
        case Made(name, arguments, options):
            factory = looked_up(name, home)
            if not callable(factory):
                raise UsageError(f"{value}: there is no `{name}`; {nearest(name, [known for known in vars(home) if known[0] != '_'])}")
            return factory(*looked_up(arguments, home), **looked_up(dict(options), home))
        case tuple():
            return tuple(looked_up(item, home) for item in value)
        case dict():
            return {key: looked_up(item, home) for key, item in value.items()}
    return value


def missing_arguments(target: Target, factory: Any) -> list[str]:
    """The arguments without a default that the target does not give."""
    try:
        signature = inspect.signature(factory)
        given = signature.bind_partial(*target.arguments, **target.options).arguments
    except (TypeError, ValueError):  # not written in Python, or given what it does not take, which the call will say
        return []
    named = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [p.name for p in named if p.default is p.empty and p.name not in given]


def cause_of(error: BaseException) -> BaseException:
    """What failed first, where it is the use of something that could not be made."""
    return next((cause.error for cause in chain(error) if isinstance(cause, CouldNotBeMade)), error)


def what_happened(error: BaseException, script: Script | None = None) -> str:
    """An exception in one line, with the line of the script that it came from."""
    error = cause_of(error)
    if isinstance(error, SystemExit):
        return ended(error)
    file = str(script.file) if script else ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == file else lines[-1] if lines else None
    text = error.msg if isinstance(error, SyntaxError) else next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}{f': {text}' if text else ''}{f' ({script.place(line)})' if script and line else ''}"


def ended(error: SystemExit) -> str:
    """Code that ends the program where it is only to be imported: where, and whether it is the command line that it asks for."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith((*NOT_THEIRS, __file__))]
    where = f" ({placed(frames[-1].filename, frames[-1].lineno)})" if frames else ""
    if any(Path(frame.filename).name == "argparse.py" for frame in traceback.extract_tb(error.__traceback__)):
        return f"it reads the command line, which lacks what it asks for{where}"
    return f"it ends the program with sys.exit({'' if error.code is None else repr(error.code)}){where}"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from; `raise error from error` comes from itself."""
    seen = set[int]()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
