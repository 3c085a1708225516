"""What `explain`, `read` and `show` know of a network, as one self-contained page."""

from collections.abc import Sequence
from dataclasses import dataclass

import jinja2


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
