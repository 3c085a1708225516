"""The one grammar of values that people type: behind `--set`, in the arguments of a target, in the name of a network. No torch.

A number, a list (`[3,4,6,3]`), a table, a quoted text, `true`, `false` or `none`; everything else is a text as it stands. A text that is
a name (`BasicBlock`, `nn.ReLU`) may stand for what has that name in a file, and among a target's arguments may be called with values
(`Config(depth=50)`); it is looked up there, and nothing else is evaluated.
"""

import ast
import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etude.errors import UsageError
from etude.source import UNREADABLE, expression_of


class Name(str):
    """A text that stood without quotes: an option's value, or the name of something where there is something of that name."""

    __slots__ = ()


@dataclass(frozen=True)
class Made:
    """A name that is called, `Config(depth=50)`: what is to be made where there is something of that name."""

    name: Name
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return write_call(self.name, self.options, self.arguments)


NO_VALUE = (*UNREADABLE, TypeError)  # what is raised for a text that is none; the last by a list as a key
CONSTANTS = {"true": True, "false": False, "none": None, "null": None}


def read_value(text: str) -> Any:
    """`3`, `5e-2`, `[2,2]`, `true`, `none`, `'none'`, `conv` as a value; lists become tuples. A call is a text as it stands."""
    try:
        value = plain(expression_of(text.strip()))
    except NO_VALUE:
        return text
    return text if isinstance(value, Made) else value


def plain(node: ast.expr) -> Any:
    """The value of an expression. Raises ValueError for one that would compute something."""
    match node:
        case ast.Name(id=name):
            return CONSTANTS.get(name.lower(), Name(name))
        case ast.Attribute(value=owner, attr=attribute) if isinstance(name := plain(owner), Name):
            return Name(f"{name}.{attribute}")
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(map(plain, items))
        case ast.Call(func=func) if isinstance(name := plain(func), Name):
            return Made(name, *arguments_of(node))
        case ast.Dict(keys=keys, values=values) if None not in keys:  # which is what ** has
            return {plain(key): plain(value) for key, value in zip(keys, values, strict=True) if key is not None}
    return ast.literal_eval(node)


def arguments_of(call: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """By position and by name. Raises ValueError for those that are no values."""
    names = [given.arg for given in call.keywords]
    if None in names or len({*names}) < len(names):
        raise ValueError("** gives names that are not known, and a name that is given twice has two values")
    return tuple(map(plain, call.args)), {str(given.arg): plain(given.value) for given in call.keywords}


def write_value(value: Any) -> str:
    """A value as `read_value` reads it."""
    match value:
        case None | bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{','.join(map(write_value, value))}]"
        case Name() if value.isascii():
            return str(value)
        case str() if not (value.isascii() and value.isidentifier()) or keyword.iskeyword(value) or value.lower() in CONSTANTS:
            return repr(value)
    return str(value)


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`shortcut=A`, `optimizer.lr=0.05` by name. Raises UsageError for what is no assignment."""
    found = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not all(part.isidentifier() for part in name.strip().split(".")):
            raise UsageError(f"--set {setting}: expected NAME=VALUE, such as --set classes=100")
        found[name.strip()] = read_value(text)
    return found


def write_settings(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Each as `read_settings` reads it: `stride_in=3x3`, `units=[2,2]`."""
    plain = {name: value for name, value in settings.items() if isinstance(value, str) and read_value(value) == value}
    return tuple(f"{name}={plain.get(name) or write_value(value)}" for name, value in settings.items())


def read_call(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """`make_net(20, k=12)` as a name and its arguments; a name alone has none. Raises UsageError for arguments that are no values."""
    name, bracket, rest = text.partition("(")
    if not bracket:
        return text, (), {}
    try:
        call = expression_of(f"f({rest}")
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):  # what is called again is `f(…)`, not `f`
            raise ValueError
        return name, *arguments_of(call)
    except NO_VALUE as error:
        raise UsageError(f"{text}: expected plain values as arguments, such as {name}(depth=20)") from error


def write_call(name: str, keywords: Mapping[str, Any], positional: Sequence[Any] = ()) -> str:
    """A name and its arguments, as `read_call` reads them; the name alone where there are none."""
    given = [*map(write_value, positional), *(f"{key}={write_value(value)}" for key, value in keywords.items())]
    return f"{name}({', '.join(given)})" if given else name


def read_shape(text: str) -> tuple[int, int, int]:
    """`3x32x32` as (channels, height, width)."""
    parts = text.replace("×", "x").lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--input {text}: expected channels, height and width, such as 3x32x32")
    channels, height, width = map(int, parts)
    return channels, height, width
