"""The page of a reproduction: one HTML file with everything in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.report import figures
from etude.report.diagram import diagram
from etude.report.gradients import gradient_figure
from etude.report.web import inline, templates

if TYPE_CHECKING:
    from etude.reproduce.jobs import Report, Trained
    from etude.train.result import RunResult


def lecture_page(report: "Report") -> str:
    """The page of `etude reproduce lecture`, self-contained."""
    template = templates().get_template("lecture.html")
    results = {trained.claim.recipe: trained.results for trained in report.trained}
    curves = {trained.recipe.model: curve(trained, results.get(trained.claim.beside, ())) for trained in report.trained}
    diagrams = {name: inline(diagram(graph, title=name)) for name, graph in report.graphs.items()}
    gradients = {name: inline(gradient_figure(found)) for name, found in report.gradients.items()}
    return template.render(report=report, curves=curves, diagrams=diagrams, gradients=gradients)


def curve(trained: "Trained", beside: Sequence["RunResult"]) -> str:
    """The accuracy curves of one network; nothing when it was not trained and nobody published any."""
    if not trained.results and trained.published is None:
        return ""
    others = [figures.Line(run.metrics, f"{run.recipe.model}, {run.recipe.budget} budget", figures.GREY) for run in beside]
    ours = [figures.Line(run.metrics, f"ours, {run.recipe.budget} budget") for run in trained.results]
    return inline(figures.accuracy_curves(trained.recipe.model, [*others, *ours], trained.published))
