"""Figures as SVG text, readable on a light and on a dark page."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from etude.papers import Curve
    from etude.train.loop import Result

GREY = "#7a7f87"
OURS = "#c2410c"
THEIRS = "#2563eb"
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


def accuracy_curves(title: str, results: Sequence["Result"], published: "Curve | None") -> str:
    """Test accuracy after each epoch: every seed, over the source's own curve where there is one.

    The untrained networks stand below the frame: the axis shows the part where networks differ.
    """
    with figure(6.4, 3.4) as drawn:
        axes = drawn.add_subplot()
        draw_curves(axes, results, published)
        axes.set_title(title, loc="left", color=GREY)
        return svg(drawn)


def lecture_picture(panels: Mapping[str, tuple[Sequence["Result"], "Curve | None"]]) -> str:
    """Several networks side by side, for the README."""
    with figure(10, 3.2) as drawn:
        for axes, (title, (results, published)) in zip(drawn.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
            draw_curves(axes, results, published)
            axes.set_title(title, loc="left", color=GREY)
        return svg(drawn)


def draw_curves(axes: Any, results: Sequence["Result"], published: "Curve | None") -> None:
    if published is not None:
        draw_published(axes, published)
    for result in results:
        epochs = [row["epoch"] for row in result.metrics]
        accuracy = [100 * row["test_accuracy"] for row in result.metrics]
        label = f"ours, {result.recipe.budget} budget" if result is results[0] else None
        axes.plot(epochs, accuracy, color=OURS, marker="o", markersize=4, linewidth=1.2, alpha=0.8, label=label)
    lowest = [100 * row["test_accuracy"] for result in results for row in result.metrics if row["epoch"] > 0]
    lowest += [point.value for point in published.points if point.epoch > 0] if published else []
    axes.set_ylim(max(0.0, min(lowest, default=0.0) - 0.6), 100.0)
    last = max([10 if published else 1, *(row["epoch"] for result in results for row in result.metrics)])
    axes.set_xlim(-0.3, last + 0.3)
    axes.set_xticks(range(0, last + 1))
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy, %")
    if published is not None or results:
        axes.legend(loc="lower right")


def draw_published(axes: Any, published: "Curve") -> None:
    axes.plot([p.epoch for p in published.points], [p.value for p in published.points], color=THEIRS, linewidth=1.2, alpha=0.6)
    for read, filled in (("printed", True), ("plot", False)):
        points = [point for point in published.points if point.read == read]
        axes.plot(
            [point.epoch for point in points],
            [point.value for point in points],
            linestyle="none",
            marker="o",
            markersize=5,
            color=THEIRS,
            fillstyle="full" if filled else "none",
            label=f"lecture, {published.at}, {'printed' if filled else 'read off the plot'}",
        )
