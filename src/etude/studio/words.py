"""What the pages say, in both languages: a file of words for every room."""

import functools
from pathlib import Path
from typing import Any

from etude.practice.exercises import LANGUAGES, Language, Words
from etude.tables import build, read_toml
from etude.views.chinese import chinese

FOLDER = Path(__file__).with_name("words")
__all__ = ["LANGUAGES", "Language", "say", "tell", "words_of"]


@functools.cache
def words_of(room: str) -> dict[str, Words]:
    """The words of a room, by their keys."""
    file = FOLDER / f"{room}.toml"
    return {key: build(Words, table, f"{file.name}: {key}") for key, table in read_toml(file).items()}


def say(language: Language, room: str, key: str, **values: Any) -> str:
    return words_of(room)[key][language].format(**values)


def tell(language: Language, text: str) -> str:
    """What the rooms below have said, in English; in Chinese as far as it has words for that."""
    return text if language == "en" else chinese(text)
