"""The page of a reproduction: one HTML file with everything in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from etude.report import figures
from etude.report.diagram import diagram
from etude.report.gradients import gradient_figure
from etude.report.web import inline, templates
from etude.reproduce.cost import multiply_adds
from etude.values import write_settings
from etude.verification.facts import facts_of
from etude.views.reproduction import on_data, order_words, recipes_of

if TYPE_CHECKING:
    from etude.papers import ResultTable
    from etude.reproduce.reproduction import Judged, JudgedOrder, Reproduction
    from etude.train.run import RunResult


@dataclass(frozen=True)
class Grid:
    """A table of the paper beside ours: by method, and there by column, what is published and what was found."""

    table: "ResultTable"
    columns: tuple[str, ...]
    rows: "dict[str, dict[str, Judged]]"

    @property
    def results(self) -> "Iterator[RunResult]":
        """Of every network once, in the order of the table."""
        cells = {str(cell.planned.recipe.title): cell for row in self.rows.values() for cell in row.values()}
        return (result for cell in cells.values() for result in cell.results)


def reproduction_page(found: "Reproduction") -> str:
    """The page of a reproduction, self-contained."""
    alone = [judged for judged in found.judged if judged.planned.claim in found.claims.trained]
    results = {judged.name: judged.results for judged in alone}
    grids = list(grids_of(found))
    return (
        templates()
        .get_template("reproduction.html")
        .render(
            report=found,
            alone=alone,
            curves={judged.name: curve(judged, results.get(judged.planned.claim.beside, ())) for judged in alone},
            diagrams={network: inline(diagram(graph, title=str(network))) for network, graph in found.graphs.items()},
            architectures={network: facts_of(network.name)[1] for network in found.layers},
            gradients={network: inline(gradient_figure(measured)) for network, measured in found.gradients.items()},
            grids=grids,
            panels=[
                *map(order_panel, [one for one in found.orders if one.pairs]),
                *(panel(g.table.at, g.results) for g in grids if any(g.results)),
            ],
            dots=dots([one for one in found.orders if one.order and one.order.n > 1]),
            recipes=recipes_of(found),
            data=dict.fromkeys(on_data(recipe, found) for recipe in recipes_of(found)),
            on_data=lambda recipe: on_data(recipe, found),
            cost=[(recipe, multiply_adds(recipe), *times_of(found, recipe)) for recipe in recipes_of(found)],
            settings=settings,
            order_words=order_words,
        )
    )


def grids_of(found: "Reproduction") -> Iterator[Grid]:
    """The tables of the claims, in their order."""
    for claim in found.claims.tables:
        rows: dict[str, dict[str, Judged]] = {}
        for judged in found.judged:
            reference = judged.planned.claim.published
            if reference and reference.table == claim.table and judged.planned.claim not in found.claims.trained:
                rows.setdefault(reference.method, {})[reference.column] = judged
        columns = tuple(column for column in claim.recipes if any(column in row for row in rows.values()))
        if rows:
            yield Grid(found.paper.results[claim.table], columns, rows)


def times_of(found: "Reproduction", recipe: Any) -> tuple[int, float]:
    """How many seeds of a recipe there are, and their seconds together."""
    seconds = [result.seconds for job, result in found.results.items() if job.recipe == recipe]
    return len(seconds), sum(seconds)


def order_panel(judged: "JudgedOrder") -> str:
    runs = [pair[place] for place in (0, 1) for pair in judged.pairs]
    return panel(judged.claim.id, runs)


def panel(title: str, runs: "Iterable[RunResult]") -> str:
    """The curves of every seed, a colour for each network."""
    runs = list(runs)
    networks = list(dict.fromkeys(str(run.recipe.model) for run in runs))
    colours = {network: figures.COLOURS[place % len(figures.COLOURS)] for place, network in enumerate(networks)}
    lines = [figures.Line(run.metrics, str(run.recipe.model), colours[str(run.recipe.model)], run.curve) for run in runs]
    return inline(figures.error_curves(title, lines))


def dots(orders: "Sequence[JudgedOrder]") -> str:
    """The paired differences of every order; nothing where there are none."""
    drawn = [figures.Dots(one.claim.id, order.differences, order.mean, order.bound, order.least) for one in orders if (order := one.order)]
    return inline(figures.pair_dots(drawn)) if drawn else ""


def settings(part: Any) -> str:
    """An optimiser or a schedule, as a recipe has it: "name=sgd, lr=0.1"."""
    return ", ".join(write_settings(asdict(part)))


def curve(judged: "Judged", beside: Sequence["RunResult"]) -> str:
    """The curves of one network; nothing when it was not trained and nobody published any."""
    published = judged.planned.published.curve if judged.planned.published else None
    if not judged.results and published is None:
        return ""
    others = [line(run, str(run.recipe.model), figures.GREY) for run in beside]
    ours = [line(run, "ours", figures.OURS) for run in judged.results]
    return inline(figures.run_curves(str(judged.network), [*others, *ours], published))


def line(run: "RunResult", whose: str, color: str) -> figures.Line:
    return figures.Line(run.metrics, f"{whose}, {run.recipe.budget} budget", color, run.curve)
