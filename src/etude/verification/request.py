"""What runs apart: makes the module that a target names and holds it against a network. Plain values in and out."""

import ast
import contextlib
import dataclasses
import functools
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from etude.errors import EtudeError, UsageError
from etude.explain.targets import built, imported, member
from etude.models import registry
from etude.verification.judge import verify


def check(target: str, against: str, options: dict[str, Any], input_shape: Sequence[int] | None) -> dict[str, Any]:
    """The report on a target, as a dict.

    target       "resnet50", "my_net.py:make_net(depth=20)" or "torchvision.models:resnet50"
    options      of the network it is held against
    input_shape  channels, height and width, or None for the network's own
    Raises       UsageError for names that are not there, EtudeError for code that cannot be run
    """
    given = {word: tuple(value) if isinstance(value, list) else value for word, value in options.items()}
    shape = None if input_shape is None else (input_shape[0], input_shape[1], input_shape[2])
    with opened(target) as module:
        return dataclasses.asdict(verify(module, against, input_shape=shape, target=target, **given))


@contextlib.contextmanager
def opened(target: str) -> Iterator[nn.Module]:
    """The module that a target names, made with the arguments that it gives; within the context it can import what stands beside it."""
    name, arguments, keywords = split_call(target)
    home, colon, attribute = name.rpartition(":")
    if not colon:
        yield registry.build(name, **keywords)
    elif home.endswith(".py"):
        with imported(Path(home)) as source:
            yield built(filled(member(source, attribute, home), arguments, keywords), {}, name)
    else:
        yield built(filled(member(imported_by_name(home), attribute, home), arguments, keywords), {}, name)


def filled(factory: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """A class or function with its arguments; as it is where there are none."""
    return functools.partial(factory, *arguments, **keywords) if (arguments or keywords) and callable(factory) else factory


def split_call(target: str) -> tuple[str, list[Any], dict[str, Any]]:
    """`make_net(20, k=12)` as a name and its arguments, which are plain values."""
    name, bracket, rest = target.partition("(")
    if not bracket:
        return target, [], {}
    try:
        call = ast.parse(f"f({rest}", mode="eval").body
        assert isinstance(call, ast.Call)
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return name, [ast.literal_eval(argument) for argument in call.args], keywords
    except (SyntaxError, ValueError, AssertionError) as error:
        raise UsageError(f"{target}: expected plain values as arguments, such as {name}(depth=20)") from error


def imported_by_name(name: str) -> Any:
    """An installed module, by name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise UsageError(f"no module `{name}`; expected a registered network, FILE.py:CALLABLE or MODULE:CALLABLE") from error
        raise EtudeError(f"{name} cannot be imported: {error}") from error
    except (Exception, SystemExit) as error:
        raise EtudeError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
