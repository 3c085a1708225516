"""Claims to jobs: what a reproduction will train, before torch or any data is there."""

import functools
import shlex
from dataclasses import dataclass
from pathlib import Path

from etude.data import declaration
from etude.papers import load as load_paper
from etude.reproduce.claims import Claim, Claims, PublishedValue, published_value
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """One claim and the jobs that answer it, a seed each.

    data          that the published value is for
    reencoded     whether the recipe's is a folder that declares to hold that in another encoding
    seeds_needed  to judge it at the paper's budget
    """

    claim: Claim
    recipe: Recipe
    seeds: int
    published: PublishedValue | None
    data: str
    reencoded: bool
    seeds_needed: int

    @property
    def unit(self) -> str:
        """Of our results: % error where that is published, else % accuracy."""
        return "% error" if self.published and self.published.is_error else "% accuracy"

    def measured(self, test_accuracy: float) -> float:
        """A fraction of the test images in that unit."""
        return 100 * (1 - test_accuracy) if self.unit == "% error" else 100 * test_accuracy

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(Job(self.recipe, seed) for seed in range(self.seeds))


def command(name: str, budget: str, seeds: int, data: str | None) -> str:
    """What to type for the reproduction of that name, or in that file."""
    on = ["--data", data] if data else []
    return shlex.join(["etude", "reproduce", name, "--budget", budget, "--seeds", str(seeds), *on])


def plan(held: Claims, *, budget: str, seeds: int, data: str | None = None) -> tuple[Planned, ...]:
    """Every claim with its recipe at that budget, on other data where `data` names some, and its published value.

    Raises  UsageError and TableError for what claims, recipes or papers do not have
    """
    paper, reader = load_paper(held.paper), functools.cache(recipes.read)
    declared = declaration.declared(Path(data)) if data else ""
    found = []
    for claim in held.trained:
        recipe = recipes.load(claim.recipe, budget, reader)
        published = published_value(paper, claim.published) if claim.published else None
        own = recipe.on(data) if data else recipe
        found.append(Planned(claim, own, seeds, published, recipe.data, declared == recipe.data, held.seeds))
    return tuple(found)
