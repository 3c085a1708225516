"""What jobs cost: multiply-adds by the papers' tables, seconds by the rate of the runs that are there. Imports no torch."""

import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from etude.data import catalog, declaration
from etude.errors import EtudeError, UsageError
from etude.train.recipe import Recipe
from etude.train.store import Store
from etude.verification.facts import count_of, steps_at


def multiply_adds(recipe: Recipe) -> int | None:
    """Of one image, forward, as large as the recipe has it: by the facts of its paper, or else its table, if that knows such a network."""
    network = recipe.model
    count = count_of(network.name, **network.options)
    if count and count.macs and recipe.image == network.input:
        return count.macs
    try:
        return sum(step.macs for step in steps_at(network.name, recipe.image, network.options))
    except UsageError:  # for an option such as `norm`
        return None


def images_seen(recipe: Recipe) -> int | None:
    """How many training images a run sees, each as often as it is seen; None of a folder that does not say how many it holds."""
    if recipe.steps is not None:
        return recipe.steps * recipe.batch
    name = recipe.data if recipe.data in catalog.names() else declaration.declared(Path(recipe.data))
    if recipe.images is None and not name:
        return None
    there = recipe.images or catalog.row(name).train - (recipe.validation or 0)
    return round((recipe.epochs or 0) * there)


def rates(store: Store) -> Mapping[str, float]:
    """Multiply-adds a second by paper, the median of the finished runs there: of training images forward, in all the time of a run."""
    found = defaultdict[str, list[float]](list)
    for run in store.runs():
        try:
            result = run.result() if run.finished else None
        except EtudeError:  # a damaged folder, or one of another version
            continue
        if not result or not result.seconds or result.diverged is not None or result.recipe.budget == "smoke":
            continue
        if macs := multiply_adds(result.recipe):
            images = result.metrics[-1]["step"] * result.recipe.batch
            found[result.recipe.model.row.paper].append(images * macs / result.seconds)
    return {paper: statistics.median(several) for paper, several in found.items()}


def seconds(recipe: Recipe, known: Mapping[str, float]) -> float | None:
    """How long a run is expected to take; None where no network of its paper was trained yet, or the paper has no such network."""
    rate, images, macs = known.get(recipe.model.row.paper), images_seen(recipe), multiply_adds(recipe)
    return images * macs / rate if rate and images and macs else None
