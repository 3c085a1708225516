"""A network's outline as a table: of what ran, or of what a paper's table asks for."""

from collections.abc import Iterator, Sequence

from etude.explain.outline import Part
from etude.views.view import Remarks, Table
from etude.wording import sizes

SIGNS = {"step": "", "branch": "├ ", "join": "└ "}


def outlined(parts: Sequence[Part]) -> Iterator[Table | Remarks]:
    """The parts of a network: where, what, and the size of what comes out."""
    rows = []
    for part in parts:
        for number, line in enumerate(part.lines):
            rows.append((place_of(part) if number == 0 else "", SIGNS[line.role] + unbroken(line.text), sizes(line.shape, line.last)))
    yield Table(("where", "what", "output"), tuple(rows), (2,), breaks=1)
    if any(part.side for part in parts):
        yield Remarks(("* only training sees it",))


def unbroken(text: str) -> str:
    """A text that is broken only behind its commas."""
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")


def place_of(part: Part) -> str:
    if part.count > 1:
        return f"{part.place} … {part.until.rpartition('.')[2]}"
    return f"{part.place} *" if part.side else part.place
