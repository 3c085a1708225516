"""What is said in English, in Chinese: views, the verdicts in them, and errors. No torch.

A view is computed once, in English. chinese.toml says how its texts are put together, in both languages; a text that fits is read, and said
anew in Chinese. What does not fit as a whole stays as it is: a quotation, a name.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etude.explain.findings import SAID
from etude.practice.exercises import Words
from etude.tables import build, read_toml
from etude.views.view import Block, Passage, Photo, Photos, Points, Remarks, Table, Terms, Text, View

FILE = Path(__file__).with_name("chinese.toml")
WHOLE = "text"  # the kind of what stands alone
KEPT = 50_000  # readings that are remembered
LONGEST, MARKS, MOST = 2_000, re.compile("[:;,(]| and | or "), 50  # of a text: its letters, and the places at which it may be divided
LEAST = 12  # letters that a phrase for what was raised has beside its values
PART = re.compile(r"\{(\w+)\}|\[([^]|]*)\|([^]|]*)\]")
HAN, SIGN, LETTER = "[\u4e00-\u9fff]", "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", "[A-Za-z0-9]"

# kinds of values that are the same in both languages
OPERATOR = "conv|linear|dropout|groups|dilation|pad|max|average|pool|global|concat|add|input|flatten|identity|reflect|replicate|circular|g"
SAME = {
    "quote": re.compile(r".+", re.DOTALL),
    "at": re.compile(r".+", re.DOTALL),
    "number": re.compile(r"[-+−]?\d(?:[\d.,×…–]*\d)?(?:e[-+]?\d+)?"),
    "yours": re.compile(r"[^()]+"),
    "name": re.compile(r"(?!(?:the|an?|and|of|is|are|it)$)[^\s,;:()]+"),
    "model": re.compile(r"[^\s,;:()]+(?:\(.*?\))?"),
    "label": re.compile(rf"[^\s,;:()]+|(?:(?:{OPERATOR}|[^\s,;:()]*[^a-z\s,;:()][^\s,;:()]*)(?: |$))+"),
}
PROSE = re.compile(rf"(?<![^\s(])(?!(?:{OPERATOR})\b)[a-z]{{2,}}(?=[.,;)]*(?:\s|$))")  # a word that is no name
NAMES = ("budget", "class", "is", "said", "taken for", "network", "recipe")  # columns whose cells are names


@dataclass(frozen=True)
class Phrase:
    """A text with values, in both languages.

    pieces   of the English, around its values
    values   their names, which are those of their kinds, and a number
    chinese  pieces and names of values in turns
    strict   whether it only fits where all values are known
    """

    pieces: tuple[re.Pattern[str], ...]
    values: tuple[str, ...]
    chinese: tuple[str, ...]
    strict: bool = True

    @classmethod
    def of(cls, words: Words, strict: bool = True) -> "Phrase":
        pieces, values, end = [""], list[str](), 0
        english = words.en.removesuffix(".")
        for part in PART.finditer(english):
            pieces[-1] += re.escape(english[end : part.start()])
            if part[1]:
                pieces.append("")
                values.append(part[1])
            else:
                pieces[-1] += f"(?:{'|'.join(sorted(part.group(2, 3), key=len, reverse=True))})"
            end = part.end()
        pieces[-1] += re.escape(english[end:])
        chinese = re.split(r"\{(\w+)\}", words.zh.removesuffix("。"))
        return cls(tuple(re.compile(piece, re.IGNORECASE) for piece in pieces), tuple(values), tuple(chinese), strict)

    def said(self, text: str) -> str | None:
        """The text in Chinese, where it is of this form."""
        first = self.pieces[0].match(text)
        values = next(self.readings(text[first.end() :]), None) if first else None
        if values is None:
            return None
        return functools.reduce(beside, (values[piece] if index % 2 else piece for index, piece in enumerate(self.chinese)))

    def readings(self, text: str, index: int = 0) -> Iterator[dict[str, str]]:
        """The values from one on, in Chinese, in every way in which the rest of a text is theirs."""
        if index == len(self.values):
            if not text:
                yield {}
            return
        value = self.values[index]
        for behind in self.pieces[index + 1].finditer(text, 1):
            here, rest = text[: behind.start()], text[behind.end() :]
            if rest and index + 1 == len(self.values):
                continue
            said = read(value.rstrip("0123456789"), here) if self.strict else known(here) or here
            if said is not None:
                yield from ({value: said, **others} for others in self.readings(rest, index + 1))


@dataclass(frozen=True)
class Kind:
    """fixed: the Chinese of texts without values, by the English in small letters; and phrases in the order in which they are tried."""

    fixed: Mapping[str, str]
    phrases: tuple[Phrase, ...]

    @classmethod
    def of(cls, words: Sequence[Words], more: Sequence[Phrase]) -> "Kind":
        fixed = {one.en.lower().removesuffix("."): one.zh.removesuffix("。") for one in words if not PART.search(one.en)}
        return cls(fixed, (*(Phrase.of(one) for one in words if PART.search(one.en)), *more))


@functools.cache
def kinds() -> Mapping[str, Kind]:
    found = {kind: words_of(table, FILE) for kind, table in read_toml(FILE).items()}
    raised = [Phrase.of(words, strict=False) for words in words_of(read_toml(SAID), SAID) if len(PART.sub("", words.en)) >= LEAST]
    return {kind: Kind.of(words, raised if kind == WHOLE else ()) for kind, words in found.items()}


def words_of(table: Mapping[str, Any], file: Path) -> list[Words]:
    return [build(Words, words, f"{file.name}: {key}") for key, words in table.items()]


@functools.lru_cache(KEPT)
def read(kind: str, text: str) -> str | None:
    """What is of one kind, in Chinese; None for what is not of that kind."""
    if same := SAME.get(kind):
        return text if same.fullmatch(text) else None
    found = kinds()[kind]
    return found.fixed.get(text.lower()) or next((said for phrase in found.phrases if (said := phrase.said(text))), None)


def known(text: str) -> str | None:
    """A text in Chinese, or as it is where that is the same in both languages; None where it is not known."""
    if len(text) > LONGEST or len(MARKS.findall(text)) > MOST:  # as whatever somebody's code may raise
        return None
    body = text.replace("\N{NO-BREAK SPACE}", " ").removesuffix(".")
    said = read(WHOLE, body) or read("ops", body)
    if said is None:
        return None if PROSE.search(body) else text
    return said + "。" * text.endswith(".")


def beside(left: str, right: str) -> str:
    """Two texts as one: between Chinese signs stands no space, between one and a letter stands one."""
    if re.search(f"{SIGN} $", left) and re.match(SIGN, right):
        return left[:-1] + right
    if re.search(f"{SIGN}$", left) and re.match(f" {SIGN}", right):
        return left + right[1:]
    apart = (re.search(f"{HAN}$", left) and re.match(LETTER, right)) or (re.search(f"{LETTER}$", left) and re.match(HAN, right))
    return f"{left} {right}" if apart else left + right


def chinese(text: str) -> str:
    """A text in Chinese; as it is where it is not known."""
    return known(text) or text


# ── Views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_chinese(view: View) -> View:
    """The same view; what is written in its pictures is left to the face that draws them."""
    parts = tuple(in_chinese(part) if isinstance(part, View) else block_in_chinese(part) for part in view.parts)
    return replace(view, title=chinese(view.title), parts=parts)


def block_in_chinese(block: Block) -> Block:
    match block:
        case Text(text):
            return Text(chinese(text))
        case Remarks(texts):
            return Remarks(tuple(map(chinese, texts)))
        case Terms(rows):
            return Terms(tuple((chinese(name), chinese(text)) for name, text in rows))
        case Points(title, texts):
            return Points(chinese(title), tuple(map(chinese, texts)))
        case Table(columns, rows, _, about):
            names = [column in NAMES for column in columns] or [False] * len(rows[0])
            cells = (tuple(cell if name else chinese(cell) for cell, name in zip(row, names, strict=True)) for row in rows)
            return replace(block, columns=tuple(map(chinese, columns)), rows=tuple(cells), about=chinese(about))
        case Passage():
            return replace(block, notes=tuple(map(chinese, block.notes)))
        case Photos(photos):
            return Photos(tuple(Photo(photo.pixels, chinese(photo.text), photo.heat) for photo in photos))
    return block
