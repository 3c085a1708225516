"""Views in a notebook: as on the page, and in the words of the terminal where there is no HTML."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from etude.report.terminal import WIDTH, text_of
from etude.shown import Shown
from etude.views.view import View

if TYPE_CHECKING:
    from torch import nn

    from etude.train.recipe import Recipe
    from etude.train.run import RunResult

VIEWS = {  # of what one gets from this package, by its class; imported when somebody looks
    "Checked": "practice:checked_view",
    "Cost": "network:view_of_cost",
    "DepthComparison": "depth:view_of_depths",
    "Facts": "facts:view_of_facts",
    "GradientReport": "network:view_of_gradients",
    "Graph": "network:view_of_graph",
    "Hint": "practice:hint_view",
    "Identification": "verification:identification_view",
    "Question": "practice:question_view",
    "Reproduction": "reproduction:reproduction_view",
    "RunResult": "runs:view_of_result",
    "Solution": "practice:solution_view",
    "Verification": "verification:verification_view",
}


@dataclass(frozen=True, repr=False)
class Cell(Shown):
    """What a notebook shows of a view."""

    view: View

    def _repr_html_(self) -> str:
        from etude.report.web import fragment_of

        return fragment_of(self.view)

    def __repr__(self) -> str:
        return text_of(self.view, WIDTH).rstrip("\n")


def cell_of(value: Shown) -> Cell:
    """What a notebook shows of a value."""
    module, _, view = VIEWS[type(value).__name__].partition(":")
    return Cell(getattr(import_module(f"etude.views.{module}"), view)(value))


def show(name: str, **options: Any) -> Cell:
    """What the paper of a registered network says of it. Raises UsageError for an unknown name or option."""
    from etude.views.card import card_view

    return Cell(card_view(name, options))


def read(name: str, **options: Any) -> Cell:
    """The source of a registered network, beside what its paper says. Raises UsageError for an unknown name or option."""
    from etude.views.reading import reading_view

    return Cell(reading_view(name, options))


def look(module: "nn.Module", input_shape: tuple[int, ...], *names: str, data: str = "mnist") -> Cell:
    """What a module does with images of (channels, height, width); it stays as it is.

    names   "shapes", "cost", "gradients", "receptive_field"; without any the first two
    data    the real images of "gradients"; "strokes" needs no download
    Raises  UsageError for another name, DoesNotRun where the module does not take such an image
    """
    from etude.explain.graph import graph
    from etude.views.network import FIRST, Subject, network_view

    made = graph(module, input_shape)
    return Cell(network_view(Subject(type(module).__name__, {}, module, made, input_shape, data, lambda: module), names or FIRST))


def fit(recipe: "Recipe | str", **how: Any) -> "RunResult":
    """As `etude.train.engine.fit`; without a `watch` it shows how far it is, in a notebook with a bar and a curve."""
    from etude.report.live import watcher
    from etude.train import engine

    return engine.fit(recipe, **{"watch": watcher()} | how)
