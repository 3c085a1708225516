"""Figures of what a trained network gets wrong, and of how it was trained."""

from collections.abc import Sequence

from etude.report.figures import GREY, OURS, figure, svg

MOST_NUMBERS = 20  # classes whose numbers can be read in their fields


def confusion_figure(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Rows in shares of their class, so that rare ones are seen too; the right ones lie on the diagonal."""
    many = len(classes)
    side = min(10, 2.2 + 0.45 * many)
    shares = [[value / max(1, sum(row)) for value in row] for row in counts]
    with figure(side, side) as drawn:
        axes = drawn.subplots()
        axes.imshow(shares, cmap="Oranges", vmin=0, vmax=1)
        if many <= MOST_NUMBERS:
            for y, row in enumerate(counts):
                for x, value in enumerate(row):
                    if value:
                        colour = "white" if shares[y][x] > 0.6 else "#1b1f24"
                        axes.text(x, y, f"{value:,}", ha="center", va="center", fontsize=8, color=colour)
            axes.set_xticks(range(many), classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
            axes.set_yticks(range(many), classes, parse_math=False)
        axes.set_xlabel("said")
        axes.set_ylabel("is")
        return svg(drawn)


def calibration_figure(bins: Sequence[tuple[float, float, int]]) -> str:
    """How often right over how sure, and the diagonal of one that is as sure as it is right; the larger a dot, the more images."""
    most = max(count for *_, count in bins)
    with figure(4.4, 4.2) as drawn:
        axes = drawn.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
        sure, right, counts = zip(*bins, strict=True)
        axes.plot(sure, right, color=OURS, linewidth=1.1)
        axes.scatter(sure, right, s=[8 + 90 * count / most for count in counts], color=OURS)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("sure")
        axes.set_ylabel("right")
        return svg(drawn)
