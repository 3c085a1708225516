"""Figures as SVG text, readable on a light and on a dark page."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from etude.papers import Curve

GREY = "#7a7f87"
OURS = "#c2410c"
THEIRS = "#2563eb"
COLOURS = (OURS, THEIRS, "#15803d", "#9333ea", "#b45309", "#0e7490", "#be185d", "#4d7c0f")
TICKS = (10, 50, 90, 95, 98, 99, 99.5)
STYLE: Any = {
    "font.size": 10,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "etude",
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of that many inches in the house's style, never shown on a screen."""
    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(drawn: Figure) -> str:
    """The figure as an <svg> element, the same text for the same figure."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


@dataclass(frozen=True)
class Line:
    """The metrics of one run, as `metrics.jsonl` has them, and how to draw them; `curve` has those of training too."""

    metrics: Sequence[Mapping[str, Any]]
    label: str
    color: str = OURS
    curve: Sequence[Mapping[str, Any]] = ()


def run_curves(title: str, lines: Sequence[Line], published: "Curve | None") -> str:
    """A line for every run: test accuracy over epochs, over the source's own curve where there is one; below it the training loss."""
    with figure(6.4, 5.6) as drawn:
        tests, losses = drawn.subplots(2, 1, height_ratios=(3, 2))
        draw_curves(tests, title, lines, published)
        draw_losses(losses, lines)
        return svg(drawn)


def draw_losses(axes: Any, lines: Sequence[Line]) -> None:
    """The mean loss of training since the point before; what stands beside a test is the mean of an epoch."""
    for line in lines:
        points = [(row["epoch"], row["train_loss"]) for row in line.curve if "test_accuracy" not in row]
        axes.plot([epoch for epoch, _ in points], [loss for _, loss in points], color=line.color, linewidth=0.8, alpha=0.8)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")


def error_curves(title: str, lines: Sequence[Line]) -> str:
    """Error over epochs as the papers draw it: of training thin, of tests bold; a line for every run."""
    with figure(6.4, 3.8) as drawn:
        axes, labels = drawn.subplots(), set[str]()
        for line in lines:
            training = [row for row in line.curve if row.get("train_accuracy") is not None and "test_accuracy" not in row]
            draw_errors(axes, training, "train_accuracy", color=line.color, linewidth=0.5, alpha=0.7)
            label = None if line.label in labels else line.label
            labels.add(line.label)
            draw_errors(axes, line.metrics, "test_accuracy", color=line.color, linewidth=1.8, alpha=0.8, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("error, %")
        axes.set_ylim(bottom=0)
        axes.set_title(title, loc="left", color=GREY)
        axes.legend(loc="lower left", fontsize=8)
        return svg(drawn)


def draw_errors(axes: Any, rows: Sequence[Mapping[str, Any]], accuracy: str, **how: Any) -> None:
    axes.plot([row["epoch"] for row in rows], [100 * (1 - row[accuracy]) for row in rows], **how)


@dataclass(frozen=True)
class Dots:
    """The differences of the pairs of one order, in points; its mean has to be above `least`, and so has its lower bound."""

    label: str
    differences: Sequence[float]
    mean: float
    bound: float
    least: float


def pair_dots(orders: Sequence[Dots]) -> str:
    """A dot for every pair; a bar at the mean, a line down to its 95 % lower bound, and a mark at the least difference."""
    with figure(8.2, 1 + 0.42 * len(orders)) as drawn:
        axes = drawn.subplots()
        axes.axvline(0, color=GREY, linewidth=0.8)
        for place, order in enumerate(orders):
            axes.plot(order.differences, [place] * len(order.differences), "o", markersize=5, color=OURS, alpha=0.6)
            axes.plot([order.bound, order.mean], [place + 0.25] * 2, color=THEIRS, linewidth=1.4)
            axes.plot([order.mean], [place + 0.25], "|", markersize=9, markeredgewidth=2, color=THEIRS)
            axes.plot([order.least], [place], "|", markersize=14, color=GREY)
        axes.set_yticks(range(len(orders)), [order.label for order in orders])
        axes.set_ylim(len(orders) - 0.5, -0.5)
        axes.set_xlabel("difference of a pair, in points; to the right as claimed")
        return svg(drawn)


def side_by_side(panels: Mapping[str, tuple[Sequence[Line], "Curve | None"]]) -> str:
    """The accuracy curves of several networks in one row."""
    with figure(10, 3.4) as drawn:
        for axes, (title, (lines, published)) in zip(drawn.subplots(1, len(panels)), panels.items(), strict=True):
            draw_curves(axes, title, lines, published)
        return svg(drawn)


def draw_curves(axes: Any, title: str, lines: Sequence[Line], published: "Curve | None") -> None:
    """On a logit scale, where 10 %, 90 % and 99 % lie equally far apart, so that the start and the end can both be read."""
    if published is not None:
        draw_published(axes, published)
    labels: set[str] = set()
    for line in lines:
        epochs = [row["epoch"] for row in line.metrics]
        label = None if line.label in labels else line.label
        labels.add(line.label)
        axes.plot(epochs, clear_of_the_ends(line), color=line.color, marker="o", markersize=3.5, linewidth=1.1, alpha=0.8, label=label)
    axes.set_yscale("logit")
    axes.set_yticks([tick / 100 for tick in TICKS], [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_ylim(0.04, 0.997)
    ends = [math.ceil(line.metrics[-1]["epoch"]) for line in lines]
    last = max([1, *ends, *(point.epoch for point in (published.points if published else ()))])
    axes.set_xticks(range(last + 1))
    axes.set_xlim(-0.03 * last, 1.03 * last)
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(title, loc="left", color=GREY)
    axes.legend(loc="lower right")


def clear_of_the_ends(line: Line) -> list[float]:
    """The accuracies of a run as fractions; a logit scale has no place for 0 and 1, which stand for half an image less."""
    halves = [0.5 / row["test_images"] for row in line.metrics]
    return [min(max(row["test_accuracy"], half), 1 - half) for row, half in zip(line.metrics, halves, strict=True)]


def draw_published(axes: Any, published: "Curve") -> None:
    """The source's curve, points that were read off a plot hollow."""
    points = published.points
    axes.plot([p.epoch for p in points], [p.value / 100 for p in points], color=THEIRS, linewidth=1.1, alpha=0.6)
    for read, fill, words in (("printed", "full", "printed"), ("plot", "none", "read off the plot")):
        some = [point for point in points if point.read == read]
        label = f"lecture, {published.at}, {words}"
        where, values = [p.epoch for p in some], [p.value / 100 for p in some]
        axes.plot(where, values, "o", markersize=5, color=THEIRS, fillstyle=fill, label=label)
