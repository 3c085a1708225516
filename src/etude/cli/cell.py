"""A command in a cell of a notebook, where what it shows appears in its place."""

import shlex
import sys

import click

from etude.cli.app import etude, of_click
from etude.cli.render import taken
from etude.errors import UsageError
from etude.report.notebook import Cell
from etude.views.view import View


def words_of(text: str) -> list[str]:
    """As a shell splits it; on Windows a backslash stands in a path. Raises UsageError for a quote that stays open."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    if sys.platform == "win32":
        lexer.escape = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise UsageError(f"{text}: {str(error).lower()}") from error


def command(text: str) -> Cell:
    """What a command shows: `etude.command("explain googlenet --shapes")`. Of pictures no file is written; what it prints is printed.

    Raises  EtudeError with what the command says
    """
    words = words_of(text)
    with taken() as views:
        try:
            etude.main(words[words[:1] == ["etude"] :], prog_name="etude", standalone_mode=False)
        except click.ClickException as error:
            raise UsageError(of_click(error)) from error
    return Cell(views[0] if len(views) == 1 else View("", "", tuple(views), [view.plain for view in views]))
