"""The paper that a picture is drawn on: SVG, readable on a light and on a dark page, and how wide its words are."""

import re
import unicodedata
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from etude.explain.nodes import Node
from etude.report.items import KINDS, kind_of

NAME_WIDTH = 32  # characters
LINE, GAP, PAD = 15.0, 8.0, 20.0
TITLE, TEXT, SMALL = 17.0, 12.0, 10.0  # sizes of text
COLOURS = 8

STYLE = """
.etude { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
  --ink: #1b1f24; --soft: #5c636d; --paper: #fdfcfa; --wire: #8a9099; --frame: #f4f2ed; --edge: #dedad1;
  --convolution: #cfe0fb; --normalisation: #fbe6bd; --activation: #f8d0cd; --pooling: #cbe8d0; --linear: #e0d3f6;
  --dropout: #c8d5de; --other: #dfdbd2;
  --b0: #2563eb; --b1: #c2410c; --b2: #15803d; --b3: #9333ea; --b4: #0e7490; --b5: #be185d; --b6: #92610a; --b7: #4f5bbd;
  --through: #6b7280; }
@media (prefers-color-scheme: dark) { .etude {
  --ink: #ebe8e2; --soft: #a3a8b0; --paper: #16181b; --wire: #7d848e; --frame: #1e2124; --edge: #363b42;
  --convolution: #244473; --normalisation: #634a14; --activation: #6b2f2d; --pooling: #245233; --linear: #49357a;
  --dropout: #41474e; --other: #363a40;
  --b0: #3d74ea; --b1: #cf5a20; --b2: #248a48; --b3: #a052ea; --b4: #1a849d; --b5: #cf3f82; --b6: #a06f12; --b7: #6570cf;
  --through: #747b86; } }
.etude text { fill: var(--ink); }
.etude .soft { fill: var(--soft); }
.etude .on { fill: #ffffff; }
.etude .strong { font-weight: 600; }
.etude .paper { fill: var(--paper); }
.etude .frame { fill: var(--frame); stroke: var(--edge); }
.etude .wire { fill: none; stroke: var(--wire); stroke-width: 1.7; stroke-linecap: round; }
.etude .aside { stroke-dasharray: 5 4; }
.etude .arrow { fill: var(--wire); }
.etude .circle, .etude .pill { fill: var(--paper); stroke: var(--ink); stroke-width: 1.4; }
"""
STYLE += "".join(f".etude .{kind} {{ fill: var(--{kind}); }}\n" for kind in KINDS)
STYLE += "".join(
    f".etude .wire.{colour} {{ stroke: var(--{colour}); }} .etude .segment.{colour}, .etude .arrow.{colour} {{ fill: var(--{colour}); }}\n"
    for colour in ("through", *(f"b{number}" for number in range(COLOURS)))
)


class Sheet:
    """A piece of a picture as elements of SVG: frames below, lines, then boxes and text; and the room that they take."""

    def __init__(self) -> None:
        self.frames, self.things = Element("g"), Element("g")
        self.lines: dict[str, Element] = {}  # by what they draw: one that several share is drawn once
        self.kinds: set[str] = set()
        self.left = self.right = self.bottom = 0.0

    def cover(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.right = min(self.left, left), max(self.right, right)
        self.bottom = max(self.bottom, bottom)

    def paste(self, other: "Sheet", dx: float = 0.0, dy: float = 0.0) -> Element:
        """Put another sheet on top, moved, as one group."""
        group = SubElement(self.things, "g", {"transform": f"translate({px(dx)} {px(dy)})"} if dx or dy else {})
        group.extend((*other.frames, *other.lines.values(), *other.things))
        self.cover(other.left + dx, dy, other.right + dx, other.bottom + dy)
        self.kinds |= other.kinds
        return group

    def kind(self, node: Node) -> str:
        self.kinds.add(kind_of(node))
        return kind_of(node)

    def thing(self, name: str, about: str) -> Element:
        thing = SubElement(self.things, "g", {"class": name})
        SubElement(thing, "title").text = about
        return thing

    def text(self, words: str, x: float, y: float, size: float, anchor: str, style: str = "", parent: Element | None = None) -> None:
        if not words:
            return
        attributes = {"x": px(x), "y": px(y), "font-size": px(size), "text-anchor": anchor} | ({"class": style} if style else {})
        SubElement(self.things if parent is None else parent, "text", attributes).text = words
        width = text_width(words, size, strong=style == "strong")
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        self.cover(left, y - size, left + width, y + size / 3)

    def frame(self, top: float, bottom: float, count: int) -> None:
        """A frame around everything on this sheet; of repeats, more of them behind it."""
        left, width = self.left - GAP, self.right - self.left + 2 * GAP
        for shift in (6.0, 3.0, 0.0) if count > 1 else (0.0,):
            rectangle(self.frames, left + shift, top + shift, width, bottom - top, "frame", 6.0)
        self.cover(left, top, left + width + (6.0 if count > 1 else 0.0), bottom)

    def wire(self, x0: float, y0: float, bend: float, x1: float, unbend: float, y1: float, colour: str) -> None:
        """Down from (x0, y0), over to x1 between the heights `bend` and `unbend`, and down to y1."""
        middle = (bend + unbend) / 2
        over = f"V{px(bend)}C{px(x0)} {px(middle)} {px(x1)} {px(middle)} {px(x1)} {px(unbend)}"
        self.line(f"M{px(x0)} {px(y0)}{over if abs(x1 - x0) >= 0.05 else ''}V{px(y1)}", f"wire {colour}".strip())
        self.cover(min(x0, x1), y0, max(x0, x1), y1)

    def elbow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """To the right and then down."""
        self.line(
            f"M{px(x0)} {px(y0)}H{px(x1 - GAP)}Q{px(x1)} {px(y0)} {px(x1)} {px(y0 + GAP)}V{px(y1)}",
            "wire aside",
        )

    def line(self, path: str, style: str) -> None:
        self.lines[path] = Element("path", {"class": style, "d": path})

    def arrow(self, x: float, y: float, colour: str) -> None:
        path = f"M{px(x - 3.5)} {px(y - 6)}H{px(x + 3.5)}L{px(x)} {px(y)}Z"
        self.lines[path] = Element("path", {"class": f"arrow {colour}".strip(), "d": path})


def document(sheet: Sheet, title: str, about: str) -> str:
    """The sheet with its title above and the legend below, as text."""
    kinds = [kind for kind in KINDS if kind in sheet.kinds]
    left, right = sheet.left, max(sheet.right, sheet.left + text_width(title, TITLE, strong=True), sheet.left + 120)
    top = 0.0
    if title:
        top = -3 * GAP - TITLE
        sheet.text(title, left, top + TITLE, TITLE, "start", "strong")
    x, y = left, sheet.bottom + 3 * GAP
    for kind in kinds:
        wide = 18 + text_width(kind, SMALL + 1)
        if x > left and x + wide > right:
            x, y = left, y + LINE + 3
        rectangle(sheet.things, x, y, 12, 12, kind)
        sheet.text(kind, x + 18, y + 10, SMALL + 1, "start", "soft")
        x += wide + 2 * GAP
    left, top, right, bottom = left - PAD, top - PAD, max(right, sheet.right) + PAD, (y + LINE if kinds else sheet.bottom) + PAD
    box = (left, top, right - left, bottom - top)
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "etude", "viewBox": " ".join(map(px, box)), "width": "100%"})
    root.attrib |= {"style": f"max-width: {px(box[2])}px", "role": "img", "aria-label": printable(about)}
    SubElement(root, "style").text = STYLE
    rectangle(root, *box, "paper", 0.0)
    root.extend((*sheet.frames, *sheet.lines.values(), *sheet.things))
    for element in root.iter():
        if element.tag != "style" and element.text:
            element.text = printable(element.text)
    return ElementTree.tostring(root, encoding="unicode")


def rectangle(parent: Element, x: float, y: float, width: float, height: float, style: str, radius: float = 2.5) -> None:
    size = {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}
    SubElement(parent, "rect", size | ({"rx": px(radius)} if radius else {}) | {"class": style})


def circle(parent: Element, x: float, y: float, radius: float) -> None:
    SubElement(parent, "circle", {"cx": px(x), "cy": px(y), "r": px(radius), "class": "circle"})


def px(value: float) -> str:
    return f"{round(value, 2) + 0.0:.10g}"


def printable(text: str) -> str:
    """The text without what XML has no place for."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def shortened(text: str) -> str:
    """In one line; of a long text only the end."""
    text = in_one_line(text)
    return text if len(text) <= NAME_WIDTH else f"…{text[1 - NAME_WIDTH :]}"


def text_width(text: str, size: float, strong: bool = False) -> float:
    """At least as wide as any usual font without serifs makes it; DejaVu Sans is the widest."""
    size *= 1.15 if strong else 1.0
    return size * sum(
        1.05 if wide(letter) else 0.45 if letter in " .,:;|!'ijl()[]/-tfrI" else 0.82 if letter.isupper() else 0.68 for letter in text
    )


def wide(letter: str) -> bool:
    return letter in "mwMW×…—–−%@&+=<>~#" or ord(letter) > 0x2FF or unicodedata.east_asian_width(letter) in "WF"
