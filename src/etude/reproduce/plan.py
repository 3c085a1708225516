"""Claims to jobs: what a reproduction will train, before torch or any data is there."""

import fnmatch
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from etude.data import declaration
from etude.errors import UsageError, nearest
from etude.papers import load as load_paper
from etude.reproduce.claims import Claim, Claims, OrderClaim, PublishedValue, published_value, values
from etude.tables import TableError
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """One claim of a value and the jobs that answer it, a seed each.

    data          that the published value is for
    reencoded     whether the recipe's is a folder that declares to hold that in another encoding
    seeds_needed  to judge it at the paper's budget
    trained       whether its jobs are done for its own sake; else their results are used where an order asks for the same
    """

    claim: Claim
    recipe: Recipe
    seeds: int
    published: PublishedValue | None
    data: str
    reencoded: bool
    seeds_needed: int
    trained: bool = True

    @property
    def unit(self) -> str:
        """Of our results: % error where that is published, else % accuracy."""
        return "% error" if self.published and self.published.is_error else "% accuracy"

    def measured(self, test_accuracy: float) -> float:
        """A fraction of the test images in that unit."""
        return 100 * (1 - test_accuracy) if self.unit == "% error" else 100 * test_accuracy

    @property
    def jobs(self) -> tuple[Job, ...]:
        return jobs_of(self.recipe, self.seeds)


@dataclass(frozen=True)
class PlannedOrder:
    """One claim of an order and its two networks, each with the jobs that answer it.

    data, reencoded  of the worse one, as in `Planned`
    """

    claim: OrderClaim
    worse: Recipe
    better: Recipe
    seeds: int
    data: str
    reencoded: bool
    seeds_needed: int

    @property
    def at(self) -> str:
        """Under which conditions: "at 1 epoch, 20 and 56 layers"; of networks whose depth is no option, the length alone."""
        options = [{**recipe.model.row.options, **recipe.model.options} for recipe in (self.better, self.worse)]
        depths = sorted({int(option["depth"]) for option in options if "depth" in option})
        return f"at {self.worse.length}" + (f", {' and '.join(map(str, depths))} layers" if depths else "")

    @property
    def pairs(self) -> tuple[tuple[Job, Job], ...]:
        """The worse one's job and the better one's, from the same seed."""
        return tuple(zip(jobs_of(self.worse, self.seeds), jobs_of(self.better, self.seeds), strict=True))


@dataclass(frozen=True)
class Plan:
    """What one reproduction takes.

    reencoded  the set that the data are in another encoding, "" where they are not
    """

    values: tuple[Planned, ...]
    orders: tuple[PlannedOrder, ...]
    reencoded: str = ""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job once, network by network."""
        wanted = [job for one in self.values if one.trained for job in one.jobs]
        wanted += [job for order in self.orders for recipe in (order.worse, order.better) for job in jobs_of(recipe, order.seeds)]
        return tuple(dict.fromkeys(wanted))


def jobs_of(recipe: Recipe, seeds: int) -> tuple[Job, ...]:
    return tuple(Job(recipe, seed) for seed in range(seeds))


def command(name: str, budget: str, seeds: int, data: str | None, only: str | None = None) -> str:
    """What to type for the reproduction of that name, or in that file."""
    more = [*(["--only", only] if only else []), *(["--data", data] if data else [])]
    return shlex.join(["etude", "reproduce", name, "--budget", budget, "--seeds", str(seeds), *more])


def plan(held: Claims, *, budget: str, seeds: int, data: str | None = None, only: str | None = None) -> Plan:
    """Every claim with its recipes at that budget, on other data where `data` names some, and its published value.

    data    a folder that declares to hold one of the sets in another encoding takes the place of that set alone, any other of every set
    only    a pattern of networks, "resnet20*", or of orders
    Raises  UsageError and TableError for what claims, recipes or papers do not have
    """
    paper = load_paper(held.paper)
    asked = [*(claim.recipe for claim in values(held, paper)), *(name for order in held.orders for name in (order.worse, order.better))]
    sets = {recipes.load(name, budget).data for name in asked}
    declared = declared if data and (declared := declaration.declared(Path(data))) in sets else ""

    def on_data(recipe: Recipe) -> Recipe:
        return recipe.on(data) if data and declared in ("", recipe.data) else recipe

    found = []
    for claim in values(held, paper):
        recipe = recipes.load(claim.recipe, budget)
        published = published_value(paper, claim.published) if claim.published else None
        trained = budget == "paper" or claim in held.trained or held.named or only is not None
        reencoded = declared == recipe.data
        found.append(Planned(claim, on_data(recipe), seeds, published, recipe.data, reencoded, held.seeds, trained))
    orders = []
    for order in held.orders:
        if order.budget == budget or (order.budget, budget) == ("laptop", "smoke"):
            worse, better = (order_recipe(order, name, budget) for name in (order.worse, order.better))
            orders.append(PlannedOrder(order, on_data(worse), on_data(better), seeds, worse.data, declared == worse.data, held.seeds))
    whole = Plan(tuple(found), tuple(orders), declared)
    return whole if only is None else chosen(whole, only)


def order_recipe(order: OrderClaim, name: str, budget: str) -> Recipe:
    """The recipe of one of its networks, with what the order sets at its own budget. Raises TableError where that measures nothing."""
    recipe = recipes.load(name, budget)
    if budget == order.budget:
        recipe = recipes.change(recipe, order.set)
    if order.measured == "training error" and not recipe.fitted:
        raise TableError(
            f"orders: {order.id}: {recipe.title} at {budget} tests no training images; expected `fitted`, in its recipe or in `set`"
        )
    return recipe


def chosen(whole: Plan, only: str) -> Plan:
    """The part of a plan whose networks, or orders, match a pattern. Raises UsageError where nothing does."""
    found = [one for one in whole.values if fnmatch.fnmatchcase(str(one.recipe.model), only)]
    orders = [order for order in whole.orders if fnmatch.fnmatchcase(order.claim.id, only)]
    if not found and not orders:
        known = dict.fromkeys([*(str(one.recipe.model) for one in whole.values), *(order.claim.id for order in whole.orders)])
        raise UsageError(f"--only {only}: no network and no order of that name; {nearest(only, known)}")
    return replace(whole, values=tuple(found), orders=tuple(orders))
