"""What the pages say, in both languages: a file of words for every room."""

import functools
from pathlib import Path
from typing import Any

from etude.practice.exercises import LANGUAGES, Language, Words
from etude.tables import build, read_toml

FOLDER = Path(__file__).with_name("words")
__all__ = ["LANGUAGES", "Language", "say", "words_of"]


@functools.cache
def words_of(room: str) -> dict[str, Words]:
    """The words of a room, by their keys."""
    file = FOLDER / f"{room}.toml"
    return {key: build(Words, table, f"{file.name}: {key}") for key, table in read_toml(file).items()}


def say(language: Language, room: str, key: str, **values: Any) -> str:
    return words_of(room)[key][language].format(**values)
