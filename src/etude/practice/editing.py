"""A learner's file in an editor that is not the only one to write it: nothing that others wrote is lost. No torch."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from etude.errors import EtudeError
from etude.files import write_text
from etude.practice.checker import unreadable
from etude.practice.exercises import Language
from etude.practice.words import say
from etude.practice.workbook import Workbook

LARGEST = 2**19  # bytes of a file that is edited here


@dataclass(frozen=True)
class Text:
    """What a file holds, and the digest of its bytes; both are "" where there is no file."""

    text: str = ""
    digest: str = ""


def read(file: Path, language: Language) -> Text:
    """The file as it is, to the last line break. Raises EtudeError for what is there and no text, in the learner's language."""
    if not file.exists() and not file.is_symlink():
        return Text()
    if problem := unreadable(file):
        raise EtudeError(say(language, problem.key, **problem.values))
    if file.stat().st_size > LARGEST:
        raise too_large(file, language)
    content = file.read_bytes()
    try:
        return Text(content.decode(), digest(content))
    except UnicodeDecodeError:
        raise EtudeError(say(language, "not_utf8")) from None


def save(book: Workbook, name: str, text: str, begun: str, language: Language) -> bool:
    """Write a text that was begun with the file of that digest; False, and nothing is written, where it has become another one."""
    try:
        content = text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON may hold
        raise EtudeError(say(language, "not_utf8")) from None
    if len(content) > LARGEST:
        raise too_large(book.file(name), language)
    with book.locked():
        now = read(book.file(name), language)
        if now.text == text and now.digest:
            return True
        if now.digest not in ("", begun):
            return False
        write_text(book.file(name), text)
    return True


def too_large(file: Path, language: Language) -> EtudeError:
    return EtudeError(say(language, "too_large_to_edit", file=file.name, kilobytes=LARGEST // 1_024))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
