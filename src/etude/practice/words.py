"""The texts of the room in the learner's language. No torch."""

import functools
import locale
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.explain.findings import SAID, Finding
from etude.practice.exercises import Exercise, Language, Words
from etude.tables import build, read_toml

MESSAGES = (SAID, Path(__file__).with_name("messages.toml"))


@functools.cache
def messages() -> Mapping[str, Words]:
    return {key: build(Words, table, f"{file.name}: {key}") for file in MESSAGES for key, table in read_toml(file).items()}


def say(language: Language, key: str, **values: Any) -> str:
    """A message, with its values filled in."""
    said = messages()[key][language].format(**{name: phrase(language, value) for name, value in values.items()})
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", said) if language == "zh" else said  # between phrases of Chinese


def phrase(language: Language, value: Any) -> Any:
    """A value as it stands in a message: findings in words, several joined by a plus; all others as they are."""
    match value:
        case {"key": key, "values": values} | Finding(key, values):
            return say(language, key, **values)
        case [*parts]:
            return " + ".join(phrase(language, part) for part in parts)
    return value


def language_here() -> Language:
    """Chinese where the locale is, English elsewhere."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    named = named or locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong.

    id    of the mistake, or the key of the message
    line  of the learner's file, where one can be named
    cell  of the learner's notebook, in which that line is
    """

    id: str
    message: str
    line: int | None = None
    cell: int | None = None

    def placed(self, language: Language) -> str:
        """The message behind its place, where there is one."""
        return say(language, "cell_line" if self.cell else "line", **vars(self)) if self.line else self.message


def diagnosis(task: Exercise, finding: Finding, language: Language) -> Diagnosis:
    """A finding in words: a mistake's are the exercise's own."""
    key = finding.key
    message = task.mistakes[key][language] if key in task.mistakes else say(language, key, **finding.values)
    there = say(language, "shapes", shapes=finding.shapes) if finding.shapes else ""
    return Diagnosis(key, message + there, finding.line)
