"""Figures of the gradients in one network, and of networks over depth."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from etude.report.figures import GREY, OURS, THEIRS, figure, svg
from etude.wording import shortened

if TYPE_CHECKING:
    from etude.explain.depth import DepthCell, DepthComparison
    from etude.explain.gradients import GradientReport, LayerGradient, Rectifier, ResidualBlock

LEGEND: Any = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
NETWORKS = {"plain": (GREY, "plain"), "residual": (OURS, "residual"), "preactivation": (THEIRS, "pre-activation")}
STARTS = {"he": "He's initialisation", "default": "torch's default"}
NORMS = {True: "with BN", False: "without BN"}
MOST_NAMES = 14  # beside each other under 9 inches
LONGEST = 24  # characters of a name; a longer one would leave no room for the curves


def gradient_figure(report: "GradientReport") -> str:
    """Layer by layer: norms of gradient and weights, what ReLUs leave; and block by block what the two paths carry, where there are any."""
    blocks = report.residual_blocks
    with figure(9, 7.6 if blocks else 5.4) as drawn:
        panels = drawn.subplots(3 if blocks else 2, 1, height_ratios=(2, 1, 1.4)[: 3 if blocks else 2])
        draw_norms(panels[0], report.layers)
        panels[0].set_title(f"one step on {report.images} images, loss {report.loss:.3g}", loc="left", color=GREY)
        draw_rectifiers(panels[1], report.layers, report.rectifiers)
        if blocks:
            draw_paths(panels[2], blocks)
        return svg(drawn)


def draw_norms(axes: Any, layers: "Sequence[LayerGradient]") -> None:
    """Normalisations apart: their few weights have norms of another size."""
    at = [index for index, layer in enumerate(layers) if layer.kind != "batch_norm"]
    norms = [index for index, layer in enumerate(layers) if layer.kind == "batch_norm"]
    axes.plot(at, [layers[i].weight for i in at], color=GREY, linewidth=1.1, label="weights")
    axes.plot(at, [layers[i].gradient for i in at], color=OURS, linewidth=1.1, marker="o", markersize=3, label="gradient")
    axes.plot(at, [layers[i].ratio for i in at], color=THEIRS, linewidth=1.1, label="gradient / weights")
    if norms:
        axes.plot(norms, [layers[i].gradient for i in norms], "o", color=OURS, markersize=2, alpha=0.5, label="gradient, BN")
    logarithmic(axes, [value for layer in layers for value in (layer.gradient, layer.weight, layer.ratio)])
    axes.set_ylabel("norm")
    axes.legend(**LEGEND)
    name_places(axes, [layer.path or layer.kind for layer in layers])


def draw_rectifiers(axes: Any, layers: "Sequence[LayerGradient]", rectifiers: "Sequence[Rectifier]") -> None:
    """At the layer before each ReLU."""
    at = [-1 if rectifier.layer is None else rectifier.layer for rectifier in rectifiers]
    axes.bar(at, [100 * rectifier.zero for rectifier in rectifiers], width=0.8, color=GREY, alpha=0.35, label="activations at 0")
    axes.bar(at, [100 * rectifier.dead for rectifier in rectifiers], width=0.8, color=OURS, label="dead units")
    axes.set_ylim(0, 100)
    axes.set_ylabel("behind ReLU, %")
    axes.legend(**LEGEND)
    name_places(axes, [layer.path or layer.kind for layer in layers])


def draw_paths(axes: Any, blocks: "Sequence[ResidualBlock]") -> None:
    """Forward solid, backward dashed."""
    at = range(len(blocks))
    for name, color in (("shortcut", OURS), ("branch", THEIRS)):
        axes.plot(at, [getattr(block, name) for block in blocks], color=color, marker="o", markersize=3, linewidth=1.1, label=name)
        back = [getattr(block, f"{name}_gradient") for block in blocks]
        axes.plot(
            at, back, color=color, marker="o", markersize=3, linewidth=1.1, linestyle="--", fillstyle="none", label=f"{name}, gradient"
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of the sum")
    axes.legend(**LEGEND)
    name_places(axes, [block.path or str(index) for index, block in enumerate(blocks, start=1)])


def name_places(axes: Any, paths: Sequence[str]) -> None:
    """Name the places below an axis: all of them where they are few, else the first of each outermost module, as far as there is room."""
    shown = list(range(len(paths)))
    if len(paths) > MOST_NAMES:
        tops = [path.split(".")[0] for path in paths]
        shown = list(far_apart([i for i in shown if i == 0 or tops[i] != tops[i - 1]], len(paths) / MOST_NAMES))
        paths = tops
    names = [shortened(paths[i], LONGEST) for i in shown]
    axes.set_xticks(shown, names, rotation=25, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_xlim(-1, len(paths))


def far_apart(places: Sequence[int], least: float) -> Iterator[int]:
    last = -least
    for place in places:
        if place - last >= least:
            last = place
            yield place


def depth_figure(comparison: "DepthComparison") -> str:
    """The first layer's gradient over depth: a panel for each initialisation, with and without normalisation.

    The band reaches from the smallest to the largest of the seeds, the line is their mean. A 0, which has no place on a logarithmic scale,
    is written at its foot.
    """
    with figure(9, 6) as drawn:
        panels = drawn.subplots(2, 2, sharex=True, sharey="row")
        for row, norm in zip(panels, NORMS, strict=True):
            for axes, start in zip(row, STARTS, strict=True):
                some = [cell for cell in comparison.cells if (cell.norm, cell.start) == (norm, start)]
                draw_depths(axes, some)
                axes.set_title(f"{STARTS[start]}, {NORMS[norm]}", loc="left", color=GREY)
            logarithmic(row[0], [cell.first.mean for cell in comparison.cells if cell.norm == norm])
            row[0].set_ylabel("gradient of the first layer")
        for axes in panels[1]:
            axes.set_xlabel("layers")
        panels[0, 0].legend(loc="upper left")
        return svg(drawn)


def draw_depths(axes: Any, cells: "Sequence[DepthCell]") -> None:
    for network, (color, label) in NETWORKS.items():
        line = sorted((cell for cell in cells if cell.network == network), key=lambda cell: cell.depth)
        if not line:
            continue
        depths = [cell.depth for cell in line]
        axes.fill_between(depths, *zip(*((min(c.first.values), max(c.first.values)) for c in line), strict=True), color=color, alpha=0.2)
        axes.plot(depths, [cell.first.mean for cell in line], color=color, marker="o", markersize=3.5, linewidth=1.1, label=label)
        for cell in line:
            if cell.first.mean == 0:
                where = axes.get_xaxis_transform()
                axes.text(cell.depth, 0.02, "0", transform=where, color=color, ha="center", va="bottom")
    axes.set_xticks(sorted({cell.depth for cell in cells}))


def logarithmic(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic scale, where there is anything that it can show."""
    if any(value > 0 for value in values):
        axes.set_yscale("log", nonpositive="mask")
