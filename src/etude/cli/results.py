"""How practice shows a result, a hint, the next exercise; torch is never imported here."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from etude.errors import EtudeError
from etude.lessons.progress import going_on
from etude.practice.checker import Checked
from etude.practice.exercises import LANGUAGES, Language, exercise, names
from etude.practice.words import say
from etude.practice.workbook import Workbook
from etude.report.terminal import wrapped

language_option = click.option("--lang", type=click.Choice(LANGUAGES), help="English or Chinese; by default as begun, or as your locale.")


@contextlib.contextmanager
def writing(folder: Path, command: str) -> Iterator[None]:
    """Raises EtudeError where files cannot be written to the folder, with how another one is named."""
    try:
        yield
    except OSError as error:
        reason = f"{folder}: cannot be written ({error.strerror or error})"
        raise EtudeError(f"{reason}; name a folder that can be, as in `{command} ~/etude`") from error


def show_result(result: Checked, language: Language) -> None:
    """What a check found, and what the code printed."""
    click.echo(wrapped(result.verdict))
    for sentence in result.sentences:
        click.echo(wrapped(sentence, "  "))
    if result.printed:
        click.echo("  " + say(language, "printed"))
        for line in result.printed:
            click.echo(f"    {line}")
    if result.help:
        click.echo(result.help)


def show_next(book: Workbook, language: Language, name: str | None = None) -> None:
    """Where to go on: with that exercise, or else the next."""
    name = name or going_on(book)
    if name is None:
        click.echo(say(language, "all_passed", count=len(names())))
        return
    click.echo(wrapped(say(language, "next", name=name, title=exercise(name).title[language], file=shown(book.file(name)))))


def show_hint(book: Workbook, name: str, language: Language) -> None:
    """The hints that were read, and one more."""
    hints, read = exercise(name).hints, book.work(name).hints
    for number, text in enumerate(hints[: read + 1], start=1):
        click.echo(wrapped(say(language, "hint", number=number, count=len(hints), text=text[language]), "  "))
    if read >= len(hints):
        click.echo(say(language, "no_more_hints"))
    book.hint(name)


def show_progress(book: Workbook, language: Language) -> None:
    click.echo(say(language, "passed_of", passed=book.passed(), count=len(names())))


def shown(path: Path) -> str:
    """A path as short as it can be said."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
