"""A view as HTML: a page of its own, or a part of any other. One file with everything in it, and no script."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from etude.report.pictures import svg_of, writable
from etude.views.view import Block, Drawing, Passage, Points, Remarks, Table, Terms, Text, View
from etude.wording import number, result, size


@functools.cache
def templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("etude.report", ".")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"number": number, "result": result, "size": size}
    return made


def page_of(view: View) -> str:
    """The page, as text; views within the view are its sections."""
    template = templates().get_template("view.html")
    return writable(template.render(view=view, head=heading(view, 1), sections=sections(view), content=content(view)))


def fragment_of(view: View) -> str:
    """What the page has, with its style, to stand in any other page: no name of it means anything outside."""
    style = templates().get_template("style.html").render()
    return writable("".join(('<div class="etude-view">', style, heading(view, 1), content(view), "</div>")))


def sections(view: View) -> list[tuple[str, str]]:
    """The titles of the views within, each with the name of its place."""
    return [(part.title, place(part)) for part in view.parts if isinstance(part, View)]


def place(view: View) -> str:
    return f"etude-{'-'.join(re.findall('[a-z0-9]+', view.title.lower()))}"


def content(view: View) -> Markup:
    return joined(*(section(part) if isinstance(part, View) else html_of(part) for part in view.parts))


def section(view: View) -> Markup:
    return joined(filled('<section id="{}">', place(view)), heading(view, 2), content(view), "</section>")


def heading(view: View, level: int) -> Markup:
    title = filled("<h{0}>{1}</h{0}>\n", level, view.title) if view.title else ""
    return joined(title, filled('<p class="command">{}</p>\n', view.command) if view.command else "")


def html_of(block: Block) -> Markup:
    match block:
        case Text(text):
            return filled("<p>{}</p>\n", text)
        case Remarks(texts):
            return joined(*(filled('<p class="remark">{}</p>\n', text) for text in texts))
        case Terms(rows):
            return joined("<dl>", *(filled("<dt>{}</dt><dd>{}</dd>\n", *row) for row in rows), "</dl>\n")
        case Points(title, texts):
            return joined(filled("<p>{}</p>\n", title), points(texts))
        case Table():
            return table(block)
        case Drawing(text):
            return filled("<pre>{}</pre>\n", text)
        case Passage():
            return passage(block)
        case _:
            return filled("<figure>{}</figure>\n", inline(svg_of(block)))


def table(table: Table) -> Markup:
    about = filled("<p>{}</p>\n", table.about) if table.about else ""
    kinds = dict.fromkeys(table.right, "n") | ({} if table.breaks is None else {table.breaks: "text"})
    rows = [row("th", table.columns, kinds)] if table.columns else []
    rows += (row("td", cells, kinds) for cells in table.rows)
    return joined(about, '<div class="scroll"><table>\n', *rows, "</table></div>\n")


def row(tag: str, cells: tuple[str, ...], kinds: Mapping[int, str]) -> Markup:
    """Cells, each with its column's class where that has one."""
    classes = (filled(' class="{}"', kinds[index]) if index in kinds else "" for index in range(len(cells)))
    return joined("<tr>", *(filled("<{0}{1}>{2}</{0}>", tag, *pair) for pair in zip(classes, cells, strict=True)), "</tr>\n")


def points(texts: tuple[str, ...]) -> Markup:
    return joined("<ul>", *(filled("<li>{}</li>", text) for text in texts), "</ul>\n")


def passage(passage: Passage) -> Markup:
    """The source, and beside it what the paper says of it."""
    about = (passage.title, passage.place, points(passage.notes))
    return filled('<div class="part"><pre>{}</pre><aside><p>{}  {}</p>{}</aside></div>\n', highlighted(passage.text), *about)


def highlighted(source: str) -> Markup:
    """Python, for within a `<pre>`; empty lines at its ends stay, so that lines can be counted."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)))


def inline(svg: str) -> Markup:
    """A picture within a page: what its style says of everything it says of pictures alone."""
    return Markup(svg.replace('<style type="text/css">*{', '<style type="text/css">.etude-view svg *{'))


def filled(text: str, *values: Any) -> Markup:
    return Markup(text).format(*values)


def joined(*pieces: str) -> Markup:
    return Markup("").join(map(Markup, pieces))
