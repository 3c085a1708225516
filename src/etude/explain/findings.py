"""What is wrong with somebody's code, before anybody puts it into words: what runs apart gives this back. No torch."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.tables import read_toml

SAID = Path(__file__).with_name("raised.toml")


@dataclass(frozen=True)
class Finding:
    """What is wrong.

    key     of the exercise's mistake, or of a message
    values  for the message: texts, numbers and findings that are phrases in it, alone or in a list
    line    of the learner's file, where one can be named
    shapes  of the tensors that meet there, after something was raised
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    shapes: str = ""


@functools.cache
def said() -> Mapping[str, Mapping[str, str]]:
    """What the findings mean, by key and language."""
    return read_toml(SAID)


def in_english(finding: Finding) -> str:
    """A finding in a sentence that can stand within another: "a linear layer made for 320 features gets 4"."""
    values = {name: in_english(value) if isinstance(value, Finding) else value for name, value in finding.values.items()}
    sentence = said()[finding.key]["en"].format(**values).removesuffix(".")
    return sentence[:1].lower() + sentence[1:]
