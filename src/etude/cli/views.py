"""What `etude explain` can show of a network: each view measured once, then printed, or put on a page, or given as JSON."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from etude.cli.parts import SIGNS, outline_table, place_of, shortened, size, sizes_of
from etude.cli.render import table
from etude.report.explained import Section, Table

if TYPE_CHECKING:
    from torch import Tensor, nn

    from etude.explain.cost import Cost, StageCost
    from etude.explain.gradients import GradientReport
    from etude.explain.nodes import Graph, Shape
    from etude.explain.outline import Part
    from etude.explain.receptive import Field

MIB = 2**20
UNKNOWN = "–"
LONGEST = 24  # characters of a stage's name
IMAGES = 64


@dataclass(frozen=True)
class Subject:
    """What is explained: a module, its graph on one image of `shape`, and where real images come from.

    make  builds the module with its weights; the one that is measured may have none
    """

    module: "nn.Module"
    graph: "Graph"
    shape: "Shape"
    source: str
    make: "Callable[[], nn.Module]"


@dataclass(frozen=True)
class View:
    """option: of the command; measure: once; show: on the terminal; section: on a page."""

    name: str
    option: str
    measure: Callable[[Subject], Any]
    show: Callable[[Any], None]
    section: Callable[[Any, str], Section]

    def plain(self, measured: Any) -> Any:
        if isinstance(measured, tuple):
            return [dataclasses.asdict(one) for one in measured]
        extra = {"flops": measured.flops} if self.name == "cost" else {}
        return dataclasses.asdict(measured) | extra


# ── Shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def shapes(subject: Subject) -> "tuple[Part, ...]":
    from etude.explain.outline import outline

    return outline(subject.graph)


def shapes_section(parts: "Sequence[Part]", command: str) -> Section:
    rows = []
    for part in parts:
        for number, line in enumerate(part.lines):
            rows.append((place_of(part) if number == 0 else "", SIGNS[line.role] + line.text, sizes_of(line)))
    return Section("Shapes", command, tables=(Table(("where", "what", "output"), tuple(rows), (2,)),))


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cost(subject: Subject) -> "Cost":
    from etude.explain.cost import cost_of

    return cost_of(subject.module, subject.graph)


def show_cost(cost: "Cost") -> None:
    stages = cost_table(cost)
    table(stages.columns, stages.rows, right=stages.right)
    lines = cost_sums(cost)
    width = max(len(number) for _, number, _ in lines)
    for name, number, what in lines:
        click.echo(f"  {name:<23}{number:>{width}}  {what}")
    if any(stage.side for stage in cost.stages):
        click.echo(f"  * {HEADS}")


HEADS = "not on the way to the logits: its MACs are not in the sum, its parameters and activations are"


def cost_table(cost: "Cost") -> Table:
    columns = ("stage", "output", "parameters", "%", "MACs, millions", "%", "activations, MiB", "%")
    return Table(columns, tuple(_cells(stage, cost) for stage in cost.stages), (2, 3, 4, 5, 6, 7))


def cost_sums(cost: "Cost") -> list[tuple[str, str, str]]:
    why = "kept for the backward pass: the column above" if cost.kept is not None else f"unknown, for training raises {cost.unknown}"
    return [
        ("parameters", f"{cost.parameters:,}", f"{cost.parameters * 4 / MIB:,.1f} MiB as float32"),
        ("MACs", f"{cost.macs:,}", "multiply-adds of convolutions and matrix products"),
        ("FLOPs", f"{cost.flops:,}", "two for each multiply-add"),
        ("activations, training", UNKNOWN if cost.kept is None else f"{cost.kept / MIB:,.1f} MiB", why),
        ("activations, inference", f"{cost.peak / MIB:,.1f} MiB", "alive at once, each freed after its last use"),
    ]


def cost_section(cost: "Cost", command: str) -> Section:
    sums = Table(("", "", ""), tuple(cost_sums(cost)), (1,))
    heads = (f"* {HEADS}",) if any(stage.side for stage in cost.stages) else ()
    return Section("Cost", command, heads, (sums, cost_table(cost)))


def _cells(stage: "StageCost", cost: "Cost") -> tuple[str, ...]:
    shares = [share(stage.parameters, cost.parameters), "" if stage.side else share(stage.macs, cost.macs)]
    kept = (UNKNOWN, "") if stage.kept is None else (f"{stage.kept / MIB:,.2f}", share(stage.kept, cost.kept or 0))
    name = shortened(stage.place, LONGEST) + " *" * stage.side
    return (name, size(stage.output), f"{stage.parameters:,}", shares[0], f"{stage.macs / 1e6:,.2f}", shares[1], *kept)


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""


# ── Gradients ────────────────────────────────────────────────────────────────────────────────────────────────────────


def gradients(subject: Subject) -> "GradientReport":
    from etude.explain.gradients import gradients as measured

    images, labels = real_images_for(subject)
    return measured(subject.make(), images, labels)


def real_images_for(subject: Subject) -> "tuple[Tensor, Tensor]":
    """A batch; a small one of large images. A network of few classes gets labels that it has."""
    from etude.explain.images import real_images

    channels, height, width = subject.shape
    images, labels = real_images((channels, height, width), IMAGES if height * width <= 64**2 else IMAGES // 8, subject.source)
    return images, labels % subject.graph.nodes[subject.graph.outputs[0]].shape[0]


def gradient_tables(report: "GradientReport") -> list[Table]:
    """Layer by layer, and block by block."""
    dead = {rectifier.layer: f"{100 * rectifier.dead:.0f}" for rectifier in report.rectifiers}
    layers = [
        (
            *(layer.path, layer.kind, number(layer.gradient), number(layer.weight), number(layer.ratio)),
            *(number(layer.mean), number(layer.std), dead.get(index, "")),
        )
        for index, layer in enumerate(report.layers)
    ]
    columns: tuple[str, ...] = ("layer", "kind", "‖gradient‖", "‖weights‖", "ratio", "output mean", "spread", "dead ReLU %")
    tables = [Table(columns, tuple(layers), (2, 3, 4, 5, 6, 7))]
    at_input = {block.path: block.gradient for block in report.blocks}
    if report.residual_blocks:
        columns = ("residual block", "shortcut", "branch", "shortcut, back", "branch, back", "‖gradient‖ at its input")
        blocks = []
        for block in report.residual_blocks:
            shares = (block.shortcut, block.branch, block.shortcut_gradient, block.branch_gradient)
            place = block.path + " (projection)" * block.projection
            blocks.append((place, *(f"{value:.2f}" for value in shares), number(block.gradient)))
        tables.append(Table(columns, tuple(blocks), (1, 2, 3, 4, 5)))
    elif at_input:
        tables.append(Table(("block", "‖gradient‖ at its input"), tuple((path, number(value)) for path, value in at_input.items()), (1,)))
    return tables


def gradient_words(report: "GradientReport") -> str:
    return f"loss {report.loss:.4f} on {report.images} images, one training step at rest: nothing is changed"


SHARES = "shortcut and branch: norm of each summand over that of their sum; back: of what each path brings back, over the whole"


def show_gradients(report: "GradientReport") -> None:
    click.echo(gradient_words(report))
    for one in gradient_tables(report):
        table(one.columns, one.rows, right=one.right)
    if report.residual_blocks:
        click.echo(SHARES)


def gradients_section(report: "GradientReport", command: str) -> Section:
    from etude.report.gradients import gradient_figure

    shares = (SHARES,) if report.residual_blocks else ()
    return Section("Gradients", command, (gradient_words(report), *shares), tuple(gradient_tables(report)), (gradient_figure(report),))


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}"


# ── Receptive field ──────────────────────────────────────────────────────────────────────────────────────────────────


def fields(subject: Subject) -> "tuple[Field, ...]":
    from etude.explain.receptive import stage_fields

    return stage_fields(subject.graph)


def field_table(found: "Sequence[Field]") -> Table:
    rows = tuple(
        (
            field.place,
            f"{'≤ ' * field.bound}{pair(field.size)}",
            "–" if 0 in field.jump else pair(field.jump),
            "yes" if field.covers else "",
        )
        for field in found
    )
    return Table(("stage", "sees, pixels", "step", "the whole image"), rows, (1, 2))


def pair(sides: tuple[int, int]) -> str:
    return f"{sides[0]:,}×{sides[1]:,}"


SEES = "what one position of a stage's result sees of the image in theory, padding included; step: how far neighbours are apart"


def show_fields(found: "Sequence[Field]") -> None:
    one = field_table(found)
    table(one.columns, one.rows, right=one.right)
    click.echo(SEES)


def fields_section(found: "Sequence[Field]", command: str) -> Section:
    return Section("Receptive field", command, (SEES,), (field_table(found),))


VIEWS = (
    View("shapes", "--shapes", shapes, outline_table, shapes_section),
    View("cost", "--cost", cost, show_cost, cost_section),
    View("gradients", "--gradients", gradients, show_gradients, gradients_section),
    View("receptive_field", "--receptive-field", fields, show_fields, fields_section),
)
