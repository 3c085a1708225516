"""What of a view still stands in English on a Chinese page."""

import re
from collections.abc import Iterator

from etude.report.pictures import in_chinese as pictures_in_chinese
from etude.report.web import html_of
from etude.views.chinese import in_chinese
from etude.views.view import Block, Diagram, Passage, Points, Remarks, Table, Terms, Text, View

LABELS = "conv|linear|dropout|pad|max|average|global|pool|concat|add|flatten|slice|sigmoid"  # of operators, which stay
WORD = re.compile(rf"(?<![^\s(])(?!(?:{LABELS})\b)[a-z]{{2,}}(?=[.,;:)]*(?:\s|$))")
HAN = re.compile("[\u4e00-\u9fff]")


def english_in(view: View) -> set[str]:
    """Every title, column, name, sentence, cell and word of a picture in which there is an English word and no Chinese one."""
    return {text for text in texts(in_chinese(view)) if WORD.search(text) and not HAN.search(text)}


def texts(view: View) -> Iterator[str]:
    yield view.title
    for part in view.parts:
        yield from texts(part) if isinstance(part, View) else texts_of(part)


def texts_of(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield text
        case Remarks(several) | Passage(notes=several):
            yield from several
        case Points(title, several):
            yield from (title, *several)
        case Terms(rows):
            yield from (text for row in rows for text in row)
        case Table(columns, rows, _, about):
            yield from (*columns, about)
            yield from (cell for row in rows for cell in row if " " in cell)
        case _:
            written = re.findall("<text[^>]*>([^<]+)</text>", pictures_in_chinese(html_of(block)))
            yield from (text for text in written if " " in text or not isinstance(block, Diagram))
