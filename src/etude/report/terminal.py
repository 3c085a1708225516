"""A view as text: for a terminal of 100 columns, and wherever there is nothing but text."""

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from etude.views.view import Block, Drawing, Passage, Points, Remarks, Table, Terms, Text, View
from etude.wording import shortened

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 98  # of what is printed: a terminal of 100 columns
LEAST = 40  # characters for what may be broken into lines, however wide the other columns are
KEY = 10  # characters of a term that has its text beside it


def text_of(view: View, width: int | None = None, colour: bool = False) -> str:
    """All that can be said in words; a paragraph or a list stands apart from what is above it.

    width   of the tables at most; None where there is no terminal to break them
    colour  whether to write what colours a terminal
    """
    found = ""
    for block in view.blocks():
        if isinstance(block, (Text, Points, Passage)) and found and not found.endswith("\n\n"):
            found += "\n"
        found += "".join(f"{line.rstrip()}\n" for line in lines(block, width, colour))
    return found


def lines(block: Block, width: int | None, colour: bool) -> Iterator[str]:
    match block:
        case Text(text):
            yield filled(text, "")
        case Remarks(texts):
            yield from (filled(text, "  ") for text in texts)
        case Terms(rows):
            yield from terms(rows)
        case Points(title, texts):
            yield title
            yield from (filled(text, "  · ") for text in texts)
        case Table(columns=()):
            yield from bare(block)
        case Table():
            shown = fitted(block)
            yield from table_of(shown.columns, shown.rows, shown.right, width, colour).splitlines()
        case Drawing(text):
            yield text
        case Passage():
            yield from source(block, colour).splitlines()


def filled(text: str, begin: str) -> str:
    """The text at most WIDTH wide, every line indented as far as the first."""
    indent = " " * max(len(begin), 4) if begin else ""
    if any(east_asian_width(sign) in "WF" for sign in text):  # which take two places each
        return begin + wrapped(text, indent).removeprefix(indent)
    return textwrap.fill(text, WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)


def wrapped(text: str, indent: str = "") -> str:
    """In lines as wide as is read well, each indented; Chinese is broken anywhere, by its double width."""
    from rich.console import Console
    from rich.text import Text as Rich

    lines = Rich(text).wrap(Console(width=WIDTH), WIDTH - len(indent))
    return "\n".join(indent + line.plain.rstrip() for line in lines)


def terms(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Each with its text beside it, or all with their texts below where one is long."""
    if all(len(term) <= KEY for term, _ in rows):
        yield from (filled(text, f"  {term:<{KEY}}  ") for term, text in rows)
    else:
        for term, text in rows:
            yield f"  {term}"
            yield filled(text, "      ")


def bare(table: Table) -> Iterator[str]:
    """A table without a head; the last cell of a row takes what room is left."""
    if table.about:
        yield filled(table.about, "  ")
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    for row in table.rows:
        begin = "    " if table.about else "  "
        for index, (cell, cell_width) in enumerate(zip(row[:-1], widths, strict=False)):
            gap = "" if index == 0 else " " if index in table.right else "  "
            begin += gap + (f"{cell:>{cell_width}}" if index in table.right else f"{cell:<{cell_width}}")
        yield filled(row[-1], f"{begin}  ")


def fitted(table: Table) -> Table:
    """The table at most WIDTH wide, where one of its columns may be broken into lines."""
    if table.breaks is None:
        return table
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    free = WIDTH - 2 * len(widths) + 1 - sum(widths[1:]) + widths[table.breaks]
    first = max(free - LEAST, LEAST)
    room = max(free - min(widths[0], first), LEAST)
    rows = []
    for row in table.rows:
        for number, text in enumerate(broken(row[table.breaks], room)):
            cells = [shortened(row[0], first), *row[1:]] if number == 0 else [""] * len(row)
            cells[table.breaks] = text
            rows.append(tuple(cells))
    return replace(table, rows=tuple(rows))


def broken(text: str, room: int) -> list[str]:
    """The text in as many lines as it takes; those below one branch of a network go on along it."""
    indent = "│   " if text.startswith("├") else "    "
    found = textwrap.wrap(text, room, subsequent_indent=indent, break_on_hyphens=False) or [""]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in found]


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], width: int | None, colour: bool) -> str:
    import rich.box
    import rich.table

    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        drawn.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return written(drawn, width, colour)


def source(passage: Passage, colour: bool) -> str:
    """The lines with their numbers; a long one is left to the terminal to break, so that it can be copied."""
    from rich import text
    from rich.syntax import Syntax

    notes = "".join(f"{filled(note, '  · ')}\n" for note in passage.notes)
    found = written(text.Text(f"{passage.title}  {passage.place}", "bold"), None, colour) + notes
    code = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(passage.text).split("\n")
    numbered = (text.Text.assemble((f"{number:>5}  ", "dim"), line) for number, line in enumerate(code, start=passage.line))
    return found + "".join(written(line, None, colour, soft_wrap=True) for line in numbered)


def written(drawn: "RenderableType", width: int | None, colour: bool, **how: Any) -> str:
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=colour,
        force_jupyter=False,  # there rich would show it at once and write nothing
        width=width or 160,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(drawn, **how)
    return buffer.getvalue()
