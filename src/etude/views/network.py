"""What is shown of any network: what flows through it, what it costs, its gradients, what it sees; each measured once."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.errors import EtudeError, UsageError, nearest
from etude.models import registry
from etude.train.run import Run
from etude.views.shapes import outlined
from etude.views.view import Diagram, GradientPicture, Remarks, Table, Text, View, called
from etude.wording import UNKNOWN, mebibytes, share, shortened, significant, size

if TYPE_CHECKING:
    from torch import Tensor, nn

    from etude.explain.cost import Cost, StageCost
    from etude.explain.gradients import GradientReport, ResidualBlock
    from etude.explain.nodes import Graph, Shape
    from etude.explain.receptive import Field, Pair

LONGEST = 24  # characters of a stage's name
IMAGES = 64


@dataclass(frozen=True)
class Subject:
    """What is explained: a module, its graph on one image of `shape`, and where real images come from.

    name     as it was called for, with `options`
    make     builds the module with its weights; the one that is measured may have none
    command  that explains it; none for a module that is only in memory
    """

    name: str
    options: Mapping[str, Any]
    module: "nn.Module"
    graph: "Graph"
    shape: "Shape"
    source: str
    make: "Callable[[], nn.Module]"
    command: str = ""

    def with_flag(self, flag: str) -> str:
        return f"{self.command} {flag}" if self.command else ""


def trained_subject(run: Run) -> Subject:
    """What a run has trained, at its last checkpoint, on images of its data. Raises EtudeError where there is none yet."""
    from etude.explain.graph import graph
    from etude.train.trained import load

    recipe, trained = run.recipe(), load(run.folder)
    made = graph(trained.module, trained.image)
    return Subject(recipe.model.name, recipe.model.options, trained.module, made, trained.image, recipe.data, lambda: trained.module)


def network_view(subject: Subject, names: Collection[str], before: Iterable[View] = (), after: Iterable[View] = ()) -> View:
    """The views of these names, and others around them. Raises UsageError for an unknown name."""
    for name in names:
        if name not in VIEWS:
            raise UsageError(f"no view `{name}` of a network; {nearest(name, VIEWS)}")
    return joined(subject, {name: VIEWS[name](subject) for name in names}, before, after)


def joined(subject: Subject, views: Mapping[str, View], before: Iterable[View], after: Iterable[View]) -> View:
    head = Text(f"{called(subject.name, subject.options)}, one image of {size(subject.shape)}")
    plain = {"network": subject.name, "input": subject.shape} | {name: view.plain for name, view in views.items()}
    return View(called(subject.name, subject.options), subject.command, (head, *before, *views.values(), *after), plain)


def whole_view(subject: Subject) -> View:
    """All there is to show; of a registered network also what its paper says, and its source. Of what cannot be shown, why."""
    views = {name: attempted(name, subject) for name in VIEWS}
    picture = View("Diagram", subject.with_flag("--diagram FILE.svg"), (diagram_of(subject),), None)
    if subject.name not in registry.names():
        return joined(subject, views, [picture], ())
    from etude.views.card import card_view
    from etude.views.reading import reading_view

    card, reading = card_view(subject.name, subject.options), reading_view(subject.name, subject.options)
    return joined(subject, views, [card, picture], [reading])


def attempted(name: str, subject: Subject) -> View:
    try:
        return VIEWS[name](subject)
    except UsageError:
        raise
    except EtudeError as error:
        return View(name.replace("_", " ").capitalize(), "", (Text(str(error)),), None)


def diagram_of(subject: Subject, block: str = "") -> Diagram:
    """The picture of the network, or of one block of it."""
    return Diagram(subject.graph, called(subject.name, subject.options) + f", {block}" * bool(block), block)


def view_of_graph(graph: "Graph") -> View:
    """A graph by itself: what flows through it, and its picture."""
    from etude.explain.outline import outline

    words = Text(f"one image of {size(graph.input)}; {graph.parameters:,} parameters, {graph.macs:,} multiply-adds")
    return View("Graph", "", (words, *outlined(outline(graph)), Diagram(graph, "Graph")), graph)


# ── Shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def shapes_view(subject: Subject) -> View:
    from etude.explain.outline import outline

    parts = outline(subject.graph)
    return View("Shapes", subject.with_flag("--shapes"), tuple(outlined(parts)), parts)


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADS = "* not on the way to the logits: its MACs are not in the sum, its parameters and activations are"


def cost_view(subject: Subject) -> View:
    from etude.explain.cost import cost_of

    return view_of_cost(cost_of(subject.module, subject.graph), subject.with_flag("--cost"))


def view_of_cost(cost: "Cost", command: str = "") -> View:
    heads = (Remarks((HEADS,)),) if any(stage.side for stage in cost.stages) else ()
    plain = dataclasses.asdict(cost) | {"flops": cost.flops}
    return View("Cost", command, (cost_table(cost), cost_sums(cost), *heads), plain)


def cost_table(cost: "Cost") -> Table:
    columns = ("stage", "output", "parameters", "%", "MACs, millions", "%", "activations, MiB", "%")
    return Table(columns, tuple(stage_row(stage, cost) for stage in cost.stages), (2, 3, 4, 5, 6, 7))


def stage_row(stage: "StageCost", cost: "Cost") -> tuple[str, ...]:
    shares = [share(stage.parameters, cost.parameters), "" if stage.side else share(stage.macs, cost.macs)]
    kept = (UNKNOWN, "") if stage.kept is None else (mebibytes(stage.kept, 2), share(stage.kept, cost.kept or 0))
    name = shortened(stage.place, LONGEST) + " *" * stage.side
    return (name, size(stage.output), f"{stage.parameters:,}", shares[0], f"{stage.macs / 1e6:,.2f}", shares[1], *kept)


def cost_sums(cost: "Cost") -> Table:
    why = "kept for the backward pass: the column above" if cost.kept is not None else f"unknown, for training raises {cost.unknown}"
    rows = (
        ("parameters", f"{cost.parameters:,}", f"{mebibytes(cost.parameters * 4)} MiB as float32"),
        ("MACs", f"{cost.macs:,}", "multiply-adds of convolutions and matrix products"),
        ("FLOPs", f"{cost.flops:,}", "two for each multiply-add"),
        ("activations, training", UNKNOWN if cost.kept is None else f"{mebibytes(cost.kept)} MiB", why),
        ("activations, inference", f"{mebibytes(cost.peak)} MiB", "alive at once, each freed after its last use"),
    )
    return Table((), rows, (1,))


# ── Gradients ────────────────────────────────────────────────────────────────────────────────────────────────────────

SHARES = "shortcut and branch: norm of each summand over that of their sum; back: of what each path brings back, over the whole"


def gradients_view(subject: Subject) -> View:
    from etude.explain.gradients import gradients

    return view_of_gradients(gradients(subject.make(), *real_images_for(subject)), subject.with_flag("--gradients"))


def view_of_gradients(report: "GradientReport", command: str = "") -> View:
    words = Text(f"loss {report.loss:.4f} on {report.images} images, one training step at rest: nothing is changed")
    parts = (words, layer_table(report), *block_tables(report), GradientPicture(report))
    return View("Gradients", command, parts, report)


def real_images_for(subject: Subject) -> "tuple[Tensor, Tensor]":
    """A batch; a small one of large images. A network of few classes gets labels that it has."""
    from etude.explain.images import real_images

    classes, (channels, height, width) = classes_of(subject), image_of(subject)
    images, labels = real_images((channels, height, width), IMAGES if height * width <= 64**2 else IMAGES // 8, subject.source)
    return images, labels % classes


def classes_of(subject: Subject) -> int:
    """How many numbers it gives for an image. Raises EtudeError where it gives no row of them."""
    first = subject.graph.outputs[0]
    shape = subject.graph.nodes[first].shape if first >= 0 else ()
    if not shape or not shape[0]:
        raise EtudeError(f"{subject.name} gives no row of classes for an image; gradients are those of a loss over N×classes")
    return shape[0]


def image_of(subject: Subject) -> tuple[int, int, int]:
    """Raises UsageError for what is no image."""
    if len(subject.shape) != 3:
        raise UsageError(f"{size(subject.shape)}: expected an image, as channels, height and width")
    channels, height, width = subject.shape
    return channels, height, width


def layer_table(report: "GradientReport") -> Table:
    dead = {rectifier.layer: f"{100 * rectifier.dead:.0f}" for rectifier in report.rectifiers}
    rows = []
    for index, layer in enumerate(report.layers):
        numbers = (layer.gradient, layer.weight, layer.ratio, layer.mean, layer.std)
        rows.append((layer.path, layer.kind, *map(significant, numbers), dead.get(index, "")))
    columns = ("layer", "kind", "‖gradient‖", "‖weights‖", "ratio", "output mean", "spread", "dead ReLU %")
    return Table(columns, tuple(rows), (2, 3, 4, 5, 6, 7))


def block_tables(report: "GradientReport") -> tuple[Table | Text, ...]:
    """Block by block: what its two paths carry, where there are two."""
    if report.residual_blocks:
        columns = ("residual block", "shortcut", "branch", "shortcut, back", "branch, back", "‖gradient‖ at its input")
        return Table(columns, tuple(map(residual_row, report.residual_blocks)), (1, 2, 3, 4, 5)), Text(SHARES)
    rows = {block.path: significant(block.gradient) for block in report.blocks}
    return (Table(("block", "‖gradient‖ at its input"), tuple(rows.items()), (1,)),) if rows else ()


def residual_row(block: "ResidualBlock") -> tuple[str, ...]:
    shares = (block.shortcut, block.branch, block.shortcut_gradient, block.branch_gradient)
    return (block.path + " (projection)" * block.projection, *(f"{value:.2f}" for value in shares), significant(block.gradient))


# ── Receptive field ──────────────────────────────────────────────────────────────────────────────────────────────────

SEES = "what one position of a stage's result sees of the image in theory, padding included; apart: how far neighbours are apart"


def receptive_field_view(subject: Subject) -> View:
    from etude.explain.receptive import stage_fields

    image_of(subject)
    fields = stage_fields(subject.graph)
    columns = ("stage", "sees, pixels", "apart, pixels", "the whole image")
    table = Table(columns, tuple(map(field_row, fields)), (1, 2))
    return View("Receptive field", subject.with_flag("--receptive-field"), (table, Text(SEES)), fields)


def field_row(field: "Field") -> tuple[str, ...]:
    step = UNKNOWN if 0 in field.jump else pair(field.jump)
    return field.place, f"{'≤ ' * field.bound}{pair(field.size)}", step, "yes" if field.covers else ""


def pair(sides: "Pair") -> str:
    return f"{sides[0]:,}×{sides[1]:,}"


VIEWS: dict[str, Callable[[Subject], View]] = {
    "shapes": shapes_view,
    "cost": cost_view,
    "gradients": gradients_view,
    "receptive_field": receptive_field_view,
}
FIRST = ("shapes", "cost")  # what is shown where nothing else is asked for
