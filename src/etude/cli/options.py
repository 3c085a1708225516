"""What several commands take: `--set option=value` for a network, `--input 3x32x32`."""

import ast
from collections.abc import Sequence
from typing import Any

from etude.errors import UsageError


def options_of(changes: Sequence[str]) -> dict[str, Any]:
    """`shortcut=A`, `units=[2,2,2,2]`, `norm=none` as options of a network; what is no Python value is a text."""
    options = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set {change}: expected OPTION=VALUE, such as --set classes=100")
        options[name] = _value(text)
    return options


def _value(text: str) -> Any:
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


def input_shape(text: str | None) -> tuple[int, int, int] | None:
    """`3x32x32` as (channels, height, width)."""
    if text is None:
        return None
    parts = text.replace("×", "x").lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--input {text}: expected channels, height and width, such as 3x32x32")
    channels, height, width = map(int, parts)
    return channels, height, width
