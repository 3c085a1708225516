"""`etude read`: a network's source beside what its paper says of it, in the terminal or as a page."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.render import filled, say
from etude.values import read_settings

if TYPE_CHECKING:
    from etude.verification.reading import Passage, Reading


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with source and notes side by side.")
def read(name: str, changes: tuple[str, ...], file: Path | None) -> None:
    """Read the source of a network, with what its paper says of every part and the shapes that flow through it."""
    from etude.files import write_text
    from etude.report.explained import explained_page, reading_section
    from etude.verification.reading import reading

    found = reading(name, **read_settings(changes))
    if file is None:
        _print(found, " ".join((name, *changes)))
    else:
        command = " ".join(("etude read", name, *(f"--set {change}" for change in changes)))
        write_text(file, explained_page(f"{found.name}: {found.title}", [reading_section(found, command)], found.paper))
        say(f"{file}: source and notes, side by side; open it in a browser")


def _print(found: "Reading", name: str) -> None:
    click.echo(f"{name}: {found.title}")
    for key, text in (("paper", found.paper), ("where", found.at), ("note", found.note), ("departures", "; ".join(found.departures))):
        if text:
            click.echo(filled(text, f"  {key:<12}"))
    for section in found.sections:
        click.echo()
        click.secho(f"{section.title}  {section.file}:{section.line}", bold=True)
        for note in section.notes:
            click.echo(filled(note, "  · "))
        _print_source(section)
    if found.left_open:
        click.echo("\nThe paper leaves open or contradicts:")
        for fact in found.left_open:
            click.echo(filled(fact, "  · "))


def _print_source(section: "Passage") -> None:
    """The lines with their numbers; a long one is left to the terminal to break, so that it can be copied."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.text import Text

    console = Console(highlight=False, file=sys.stdout)
    lines = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(section.text).split("\n")
    for number, line in enumerate(lines, start=section.line):
        numbered = Text.assemble((f"{number:>5}  ", "dim"), line)
        numbered.rstrip()
        console.print(numbered, soft_wrap=True)
