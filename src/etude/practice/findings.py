"""What a check finds, before anybody puts it into words: what runs apart gives this back. No language here, and no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
