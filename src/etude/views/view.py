"""What views are made of. Neither a terminal nor a page is known here."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.values import write_settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from etude.data.idx import Bytes
    from etude.explain.depth import DepthComparison
    from etude.explain.gradients import GradientReport
    from etude.explain.nodes import Graph


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Remarks:
    """What is to be said of what stands above, a paragraph each."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Names, and what is said of each."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Points:
    """A list under its title."""

    title: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; without columns it has no head.

    right   indices of the columns that are numbers
    about   stands above
    breaks  index of the column whose texts are broken into lines where there is no room
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    about: str = ""
    breaks: int | None = None


@dataclass(frozen=True)
class Drawing:
    """A text whose lines stay as they are."""

    text: str


@dataclass(frozen=True)
class Passage:
    """A part of a source.

    title  "class Bottleneck"
    file   "resnet.py"; `line` is the number of its first line
    notes  what the paper says of it and what flows through it, a sentence each
    uses   of a class: where the network has it, and the operators that run there, by their indices in its graph
    """

    title: str
    file: str
    line: int
    text: str
    notes: tuple[str, ...] = ()
    uses: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Diagram:
    """A network, or one block of it, to be drawn."""

    graph: "Graph"
    title: str
    block: str = ""


@dataclass(frozen=True)
class GradientPicture:
    """The gradients in one network, to be drawn."""

    report: "GradientReport"


@dataclass(frozen=True)
class DepthPicture:
    """Gradients over depth, to be drawn."""

    comparison: "DepthComparison"


@dataclass(frozen=True)
class CurvePicture:
    """Accuracy and loss of one run over its epochs, to be drawn; `metrics` are its tests, `curve` all lines of it."""

    title: str
    metrics: Sequence[Mapping[str, Any]]
    curve: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Photo:
    """An image with what is said below it; `heat`, height×width from -1 to 1, lies over it."""

    pixels: "Bytes"
    text: str
    heat: "npt.NDArray[np.float64] | None" = None


@dataclass(frozen=True)
class Photos:
    """Images side by side, to be drawn."""

    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class Confusion:
    """How often which class was taken for which, to be drawn: a row for each class that an image has."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Calibration:
    """How sure, how often right, and how many images, bin by bin, to be drawn."""

    bins: tuple[tuple[float, float, int], ...]


Picture = Diagram | GradientPicture | DepthPicture | Photos | Confusion | Calibration | CurvePicture
Block = Text | Remarks | Terms | Points | Table | Drawing | Passage | Picture


@dataclass(frozen=True)
class View:
    """What is shown under one title, in order; a part may be a view with a title of its own.

    command  that shows the same, where there is one
    plain    the same as values and dataclasses, for JSON
    """

    title: str
    command: str
    parts: "tuple[Block | View, ...]"
    plain: Any

    def blocks(self) -> Iterator[Block]:
        """All of it, without the titles."""
        for part in self.parts:
            if isinstance(part, View):
                yield from part.blocks()
            else:
                yield part


def called(name: str, options: Mapping[str, Any]) -> str:
    """`resnet34 shortcut=A`."""
    return " ".join((name, *write_settings(options)))


def command(verb: str, name: str, options: Mapping[str, Any], *flags: str) -> str:
    """`etude show resnet34 --set shortcut=A --measure`, quoted for a shell; `flags` are so already."""
    settings = (word for setting in write_settings(options) for word in ("--set", setting))
    return " ".join((shlex.join(["etude", verb, name, *settings]), *flags))
