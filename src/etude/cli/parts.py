"""A network's outline as a table: of what ran, or of what a paper's table asks for."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from etude.cli.render import WIDTH, table

if TYPE_CHECKING:
    from etude.explain.nodes import Shape
    from etude.explain.outline import Line, Part

LEAST = 40  # characters for what stands at a place, however long the place is called
SIGNS = {"step": "", "branch": "├ ", "join": "└ "}


def outline_table(parts: "Sequence[Part]") -> None:
    """Print the parts of a network: where, what, and the size of what comes out."""
    sizes = [[sizes_of(line) for line in part.lines] for part in parts]
    free = WIDTH - max(len(text) for column in sizes for text in column) - 5
    places = [shortened(place_of(part), max(free - LEAST, LEAST)) for part in parts]
    room = max(free - max(map(len, places)), LEAST)
    rows = []
    for place, part, outputs in zip(places, parts, sizes, strict=True):
        for number, (line, output) in enumerate(zip(part.lines, outputs, strict=True)):
            where = place if number == 0 else ""
            first, *more = _wrapped(line, room)
            rows.append((where, first, output))
            rows += [("", text, "") for text in more]
    table(("where", "what", "output"), rows, right=(2,))
    if any(part.side for part in parts):
        click.echo("* only training sees it")


def shortened(text: str, width: int) -> str:
    """The end of a text that is wider."""
    return text if len(text) <= width else f"…{text[1 - width :]}"


def size(shape: "Shape") -> str:
    return "×".join(map(str, shape))


def place_of(part: "Part") -> str:
    if part.count > 1:
        return f"{part.place} … {part.until.rpartition('.')[2]}"
    return f"{part.place} *" if part.side else part.place


def sizes_of(line: "Line") -> str:
    """The size of what comes out; of repeats whose channels grow, the first and the last."""
    if line.last == line.shape:
        return size(line.shape)
    if line.last[1:] == line.shape[1:]:
        return f"{line.shape[0]}…{size(line.last)}"
    return f"{size(line.shape)}…{size(line.last)}"


def _wrapped(line: "Line", room: int) -> list[str]:
    """The line in as many lines as it takes, broken behind commas."""
    glued = line.text.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
    indent = "│   " if line.role == "branch" else "    "
    lines = textwrap.wrap(glued, room, initial_indent=SIGNS[line.role], subsequent_indent=indent, break_on_hyphens=False)
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in lines]
