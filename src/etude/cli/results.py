"""How practice shows a result, a hint, the next exercise; torch is never imported here."""

from pathlib import Path

import click

from etude.cli.render import WIDTH
from etude.practice.checker import Checked
from etude.practice.exercises import LANGUAGES, Language, exercise, names
from etude.practice.words import say
from etude.practice.workbook import Workbook

language_option = click.option("--lang", type=click.Choice(LANGUAGES), help="English or Chinese; by default as begun, or as your locale.")


def show_result(result: Checked, language: Language) -> None:
    """What a check found, and what the code printed."""
    if result.passed:
        click.echo(wrapped(say(language, "passed", name=result.exercise, seconds=result.seconds)))
    else:
        click.echo(say(language, "not_yet", name=result.exercise, seconds=result.seconds))
    for diagnosis in result.diagnoses:
        key = "cell_line" if diagnosis.cell else "line"
        placed = say(language, key, **vars(diagnosis)) if diagnosis.line else diagnosis.message
        click.echo(wrapped(placed, "  "))
    if result.made:
        click.echo(wrapped(say(language, "made", call=result.made), "  "))
    if result.printed:
        click.echo("  " + say(language, "printed"))
        for line in result.printed:
            click.echo(f"    {line}")
    if not result.passed:
        click.echo(say(language, "help", name=result.exercise))


def show_next(book: Workbook, language: Language, name: str | None = None) -> None:
    """Where to go on: with that exercise, or else the first that has not passed."""
    name = name or book.next()
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


def wrapped(text: str, indent: str = "") -> str:
    """In lines as wide as is read well; Chinese is broken anywhere, by its double width."""
    from rich.console import Console
    from rich.text import Text

    lines = Text(text).wrap(Console(width=WIDTH), WIDTH - len(indent))
    return "\n".join(indent + line.plain.rstrip() for line in lines)
