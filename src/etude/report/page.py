"""The page of a reproduction: one HTML file with everything in it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from etude.report import figures
from etude.report.diagram import diagram
from etude.report.gradients import gradient_figure
from etude.report.web import inline, templates
from etude.values import write_settings

if TYPE_CHECKING:
    from etude.reproduce.reproduction import Judged, Reproduction
    from etude.train.run import RunResult


def reproduction_page(found: "Reproduction") -> str:
    """The page of a reproduction, self-contained."""
    results = {judged.name: judged.results for judged in found.judged}
    curves = {judged.name: curve(judged, results.get(judged.planned.claim.beside, ())) for judged in found.judged}
    diagrams = {network: inline(diagram(graph, title=str(network))) for network, graph in found.graphs.items()}
    gradients = {network: inline(gradient_figure(measured)) for network, measured in found.gradients.items()}
    template = templates().get_template("reproduction.html")
    return template.render(report=found, curves=curves, diagrams=diagrams, gradients=gradients, settings=settings)


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
