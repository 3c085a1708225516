"""What there is: networks, recipes, data sets. No torch."""

import fnmatch
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etude.errors import UsageError
from etude.models import registry
from etude.models.registry import Row
from etude.papers import Paper, load
from etude.verification.facts import count_of, graph_of
from etude.views.view import Table, Text, View
from etude.wording import percent, size

if TYPE_CHECKING:
    from etude.train.run import RunResult


def networks_view(pattern: str) -> View:
    """The networks whose names match, or those of a paper. Raises UsageError where there are none."""
    rows = [registry.row(name) for name in registry.names(pattern)]
    found = [{"network": row.name, "paper": row.paper, "input": size(row.input), "about": row.about} for row in rows]
    return listing("Networks", pattern, found)


@dataclass(frozen=True)
class Sized:
    """A registered network with its learned scalars, and its multiply-adds for one image."""

    row: Row
    parameters: int
    macs: int


@functools.cache
def networks_by_paper() -> tuple[tuple[Paper, tuple[Sized, ...]], ...]:
    """All registered networks, in the order of the registry."""
    papers = dict.fromkeys(row.paper for row in registry.ROWS)
    return tuple((load(paper), tuple(sized(row) for row in registry.ROWS if row.paper == paper)) for paper in papers)


def sized(row: Row) -> Sized:
    """As its paper's facts count it, or else its table."""
    count = count_of(row.name)
    if count and count.macs:
        return Sized(row, count.parameters, count.macs)
    table = graph_of(row.name)
    return Sized(row, table.parameters, table.macs)


def recipes_view(pattern: str) -> View:
    """The recipes whose names match. Raises UsageError where there are none."""
    from etude.train import recipe

    found = [
        {"recipe": f"{model}.{file.name}", "network": model, "data": file.data or "your own", "budgets": ", ".join(file.budget)}
        for file in map(recipe.brought, recipe.files())
        for model in (["NETWORK"] if pattern == "*" and "*" in file.networks else file.models)
    ]
    return listing("Recipes", pattern, [row for row in found if fnmatch.fnmatchcase(row["recipe"], pattern)], " --recipes")


def weights_view(pattern: str) -> View:
    """The trained networks that Etude brings. Raises UsageError where there are none."""
    from etude.train import kept
    from etude.train.run import Run

    runs = [Run(kept.FOLDER / name) for name in kept.names() if fnmatch.fnmatchcase(name, pattern)]
    return listing("Weights", pattern, [kept_row(run.result(), run.environment()) for run in runs], " --weights")


def kept_row(result: "RunResult", environment: Mapping[str, Any]) -> dict[str, str]:
    recipe, reencoded = result.recipe, environment["reencoded"]
    return {
        "weights": recipe.title,
        "budget": recipe.budget,
        "seed": str(result.seed),
        "trained on": f"{reencoded} in another encoding" if reencoded else recipe.data,
        "test error": percent(1 - result.test_accuracy),
        "device": environment["device"],
    }


def data_view() -> View:
    from etude.data import catalog
    from etude.data.sources import is_cached

    found = [
        {
            "data": row.name,
            "images": size(row.image),
            "training": f"{row.train:,}",
            "test": f"{row.test:,}",
            "here": "drawn when needed" if not row.files else "yes" if is_cached(row.name) else "no",
            "about": row.title,
        }
        for row in catalog.rows()
    ]
    own = Text("A folder of images, one sub-folder a class, works too: etude train RECIPE --data FOLDER")
    return View("Data sets", "etude data ls", (table(found, right=(2, 3)), own), found)


def listing(title: str, pattern: str, found: Sequence[dict[str, str]], flag: str = "") -> View:
    if not found:
        raise UsageError(f"nothing matches `{pattern}`; `etude ls{flag}` lists all")
    return View(title, f"etude ls{'' if pattern == '*' else f' {pattern}'}{flag}", (table(found),), found)


def table(found: Sequence[dict[str, str]], right: tuple[int, ...] = ()) -> Table:
    """Rows with the same keys."""
    return Table(tuple(found[0]), tuple(tuple(row.values()) for row in found), right)
