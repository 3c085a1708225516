"""What `explain`, `read` and `show` know of a network, as one self-contained page."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from etude.verification.card import Card
    from etude.verification.reading import Reading


@dataclass(frozen=True)
class Table:
    """Columns with an index in `right` are numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page, and the command that shows the same; pictures are SVG or HTML."""

    title: str
    command: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[str, ...] = ()


def explained_page(title: str, sections: Sequence[Section], about: str = "") -> str:
    """The page, as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("etude.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("explained.html").render(title=title, about=about, sections=sections)


def card_section(card: "Card", command: str) -> Section:
    """What the paper claims of a network, how it departs, and what was published."""
    said = [card.title, card.paper, f"{card.at} ({card.kind})", card.note, f"Departures: {'; '.join(card.departures) or 'none'}."]
    counts = tuple((one.what, f"{one.printed:,.4g}" if one.printed else "–", one.at, f"{one.exact:,}", one.note) for one in card.counts)
    tables = [Table(("count", "printed", "where", "exact", ""), counts, (1, 3))]
    for found in card.results:
        rows = tuple(
            (row.method, column, value if isinstance(value, str) else f"{value:g}", row.how, row.note)
            for row in found.rows
            for column, value in row.values.items()
        )
        about = "; ".join(text for text in (f"{found.at}: {found.unit}", found.protocol, found.note) if text)
        tables.append(Table((about, "", "published", "runs", ""), rows, (2,)))
    return Section("What the paper says", command, tuple(filter(None, said)), tuple(tables))


def reading_section(reading: "Reading", command: str) -> Section:
    """The source, and beside every part of it what the paper says of it."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    parts = []
    for section in reading.sections:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in section.notes)
        code = highlight(section.text, PythonLexer(), HtmlFormatter(nowrap=True))
        heading = f"<p>{html.escape(section.title)}, {html.escape(section.file)} line {section.line}</p>"
        parts.append(f'<div class="part"><pre>{code}</pre><aside>{heading}<ul>{notes}</ul></aside></div>')
    said = [f"Departures: {'; '.join(reading.departures)}."] if reading.departures else []
    left_open = tuple((one,) for one in reading.left_open)
    tables = (Table(("what the paper leaves open, or says twice",), left_open),) if left_open else ()
    return Section("Source, beside the paper", command, (f"{reading.at}.", *said), tables, ("".join(parts),))
