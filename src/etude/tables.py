"""TOML tables read into frozen dataclasses: every key known, every type right, or an error that names file and key."""

import dataclasses
import functools
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from etude.errors import EtudeError, nearest

T = TypeVar("T")
NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple: "a list", Mapping: "a table"}


class TableError(EtudeError):
    """A key that is unknown, missing or of the wrong type; the message names the file and the key."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises TableError naming the file, and the line where it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:  # tomllib's own, and Python's of a number of thousands of digits
        raise TableError(f"{path}: is not valid TOML: {error}") from error


def build(cls: type[T], table: Mapping[str, Any], where: str, **given: Any) -> T:
    """An instance of the dataclass `cls` from `table`; `given` fills fields that do not stand in the table.

    where   names the place in messages, e.g. "lecture.toml: facts.flatten_size"
    Raises  TableError for an unknown key, a missing one, or a wrong type.
    """
    hints = _hints(cls)  # type: ignore[arg-type]  # a class can be hashed, which mypy does not know of type[T]
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in given}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise TableError(f"{where}: unknown key `{key}`; {nearest(key, fields)}")
    values = dict(given)
    for name, field in fields.items():
        if name in table:
            values[name] = convert(table[name], hints[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise TableError(f"{where}: missing key `{name}`")
    try:
        return cls(**values)
    except ValueError as error:
        raise TableError(f"{where}: {error}") from error


@functools.cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields; to find them every annotation is evaluated."""
    return typing.get_type_hints(cls)


def convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint` asks for: a number, text, choice, tuple, mapping, dataclass, or one of several."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, _expect(value, Mapping, where), where)
    if origin is Literal:
        if value not in args:
            raise TableError(f"{where} = {value!r}, expected one of {', '.join(map(repr, args))}")
        return value
    if origin in (Union, types.UnionType):
        return _one_of(value, args, where)
    if origin is tuple:
        return _tuple(_expect(list(value) if isinstance(value, tuple) else value, list, where), args, where)
    if origin is Mapping:
        return {key: convert(item, args[1], f"{where}.{key}") for key, item in _expect(value, Mapping, where).items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise TableError(f"{where} has more digits than a number may have") from error
    return _expect(value, hint, where)


def _one_of(value: Any, hints: tuple[Any, ...], where: str) -> Any:
    """`value` as the first type that admits it; of several dataclasses, the one that its first field (`name`, `kind`) chooses."""
    if value is None and type(None) in hints:
        return None
    failures = []
    for hint in hints:
        if hint is not type(None):
            try:
                return convert(value, hint, where)
            except TableError as error:
                failures.append((_is_chosen(value, hint), error))
    raise max(failures, key=lambda failure: failure[0])[1]


def _is_chosen(value: Any, hint: Any) -> bool:
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, Mapping)):
        return False
    tag = dataclasses.fields(hint)[0].name
    return value.get(tag) in get_args(_hints(hint)[tag])


def _tuple(items: list[Any], args: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    hints = args[:1] * len(items) if len(args) == 2 and args[1] is Ellipsis else args
    if len(items) != len(hints):
        raise TableError(f"{where} has {len(items)} entries, expected {len(hints)}")
    return tuple(convert(item, hint, f"{where}[{i}]") for i, (item, hint) in enumerate(zip(items, hints, strict=True)))


def _expect(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = NAMES.get(tuple if kind is list else kind, getattr(kind, "__name__", str(kind)))
        raise TableError(f"{where} = {value!r}, expected {wanted}")
    return value
