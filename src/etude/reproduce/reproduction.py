"""A plan carried out: exact facts checked, jobs run, claims judged."""

import contextlib
import datetime
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from etude.data.sources import NoSource
from etude.errors import EtudeError
from etude.explain.gradients import GradientReport, gradients
from etude.explain.graph import graph
from etude.explain.images import real_images
from etude.explain.nodes import Graph
from etude.jobs.here import Here
from etude.jobs.task import Engine, Outcome
from etude.models.network import Network
from etude.papers import Paper
from etude.papers import load as load_paper
from etude.reproduce import claims
from etude.reproduce.claims import Claims, OrderClaim
from etude.reproduce.orders import Order, judge_orders
from etude.reproduce.plan import Plan, Planned, PlannedOrder, command, plan
from etude.reproduce.verdict import Sample, Verdict, judge
from etude.shown import Shown
from etude.train import machine
from etude.train.job import Job, Means
from etude.train.recipe import Recipe, as_table
from etude.train.run import BEHIND_NUMBERS, Run, RunResult
from etude.train.store import Store
from etude.verification import exact
from etude.verification.exact import Check, LayerCheck

GRADIENT_IMAGES = 64


@dataclass(frozen=True)
class Judged:
    """One claim, the runs that answer it, and the verdict.

    sample  the results of the runs in the unit of the published value: % error, or % accuracy
    beside  the mean difference to the network it is compared with, in points, over the same seeds
    """

    planned: Planned
    results: tuple[RunResult, ...]
    sample: Sample
    verdict: Verdict
    beside: float | None = None

    @property
    def name(self) -> str:
        """`resnet110(shortcut=B).he2015`."""
        return self.planned.claim.recipe

    @property
    def network(self) -> Network:
        return self.planned.recipe.model

    @property
    def centre(self) -> float:
        """What stands against the published value: our median where a median is published, else our mean."""
        published = self.planned.published
        return statistics.median(self.sample.values) if published and published.statistic == "median" else self.sample.mean

    @property
    def seconds(self) -> float:
        """Seconds of training and testing, all seeds together."""
        return sum(result.seconds for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; mean and spread in the unit of the published value."""
        sample, published = self.sample, self.planned.published
        return {
            "network": str(self.network),
            "recipe": as_table(self.planned.recipe),
            "published": published and {key: value for key, value in asdict(published).items() if key != "curve"},
            "data": self.planned.data,
            "reencoded": self.planned.reencoded,
            "n": sample.n,
            "unit": self.planned.unit,
            "accuracy": [100 * result.test_accuracy for result in self.results],
            "mean": sample.mean if sample.n else None,
            "spread": sample.spread if sample.n > 1 else None,
            "beside": self.planned.claim.beside,
            "difference": self.beside,
            "seconds": [result.seconds for result in self.results],
            "warnings": [result.warning for result in self.results if result.warning],
            "runs": [str(result.folder) for result in self.results],
            "metrics": [list(result.metrics) for result in self.results],
            "curves": [list(result.curve) for result in self.results],
            "verdict": self.verdict.word,
            "why": self.verdict.why,
        }


@dataclass(frozen=True)
class JudgedOrder:
    """One claimed order, the runs that answer it, and the verdict.

    pairs  the results of the worse network and of the better one from the same seed
    order  the differences of what was measured; None where nothing ran
    """

    planned: PlannedOrder
    pairs: tuple[tuple[RunResult, RunResult], ...]
    order: Order | None
    verdict: Verdict

    @property
    def claim(self) -> OrderClaim:
        return self.planned.claim

    def as_dict(self) -> dict[str, Any]:
        """Plain values; differences and errors in points of % error."""
        order, claim = self.order, self.claim
        return {
            **asdict(claim),
            "conditions": self.planned.at,
            "data": self.planned.worse.data,
            "reencoded": self.planned.reencoded,
            "recipes": {"worse": as_table(self.planned.worse), "better": as_table(self.planned.better)},
            "errors": [[measured(claim, result) for result in pair] for pair in self.pairs],
            "seeds": [worse.seed for worse, _ in self.pairs],
            "differences": list(order.differences) if order else [],
            "mean": order.mean if order else None,
            "spread": order.spread if order and order.n > 1 else None,
            "bound": order.bound if order and order.n > 1 else None,
            "runs": [[str(result.folder) for result in pair] for pair in self.pairs],
            "diverged": [[result.diverged for result in pair] for pair in self.pairs],
            "verdict": self.verdict.word,
            "why": self.verdict.why,
        }


@dataclass(frozen=True, repr=False)
class Reproduction(Shown):
    """Everything a reproduction found; tables and pages are drawn from it.

    command          that does it again
    layers           by network: the operators that it runs, and how they compare with its paper's table
    graphs           of the networks that are claimed one by one
    gradients        of these before they are trained, by seed 0, on images of their data; none without data
    results          of every job that was done or was there
    """

    claims: Claims
    command: str
    paper: Paper
    budget: str
    seeds: int
    date: str
    environment: dict[str, Any]
    exact: tuple[Check, ...]
    layers: dict[Network, tuple[LayerCheck, ...]]
    judged: tuple[Judged, ...]
    graphs: dict[Network, Graph]
    gradients: dict[Network, GradientReport]
    orders: tuple[JudgedOrder, ...] = ()
    results: Mapping[Job, RunResult] = field(default_factory=dict)

    @property
    def layers_exact(self) -> dict[Network, bool]:
        return {network: all(check.verdict == "exact" for check in checks) for network, checks in self.layers.items()}

    @property
    def shown(self) -> tuple[Judged, ...]:
        """The claims of values that were to be trained, or for which there are runs."""
        return tuple(judged for judged in self.judged if judged.planned.trained or judged.results)

    @property
    def all_exact(self) -> bool:
        """Whether nothing departs."""
        return all(check.verdict == "exact" for check in self.exact) and all(self.layers_exact.values())

    @property
    def failed(self) -> bool:
        """Whether anything departs, was not reproduced, or is the other way round."""
        words = {one.verdict.word for one in self.judged} | {one.verdict.word for one in self.orders}
        return not self.all_exact or bool(words & {"not reproduced", "order reversed"})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for --json and for records."""
        return {
            "reproduction": self.claims.name,
            "budget": self.budget,
            "seeds": self.seeds,
            "date": self.date,
            "environment": self.environment,
            "exact": [asdict(check) | {"verdict": check.verdict} for check in self.exact],
            "layers": {str(network): _layers_as_dict(checks) for network, checks in self.layers.items()},
            "trained": [judged.as_dict() for judged in self.shown],
            "orders": [judged.as_dict() for judged in self.orders],
            "failed": self.failed,
        }


def reproduce(
    name: str,
    *,
    budget: str = "laptop",
    seeds: int = 1,
    root: Path = Path("runs"),
    data: str | None = None,
    only: str | None = None,
    means: Means = Means(),
    engine: Engine = Here(),
) -> Reproduction:
    """Check every exact fact, train every network of the claims on `seeds` seeds, and judge.

    only    a pattern of networks or of orders, as in `plan`
    engine  where the networks are trained: by default here, one after the other
    Runs live in the store at `root` and are used again, or continued, when recipe, code and machine are the same.
    Without data the exact facts are still checked, and the trained claims are "not judged" with the reason.
    Raises EtudeError when runs failed: at once when they are done here, elsewhere after all others are done.
    """
    held = claims.load(name)
    planned = plan(held, budget=budget, seeds=seeds, data=data, only=only)
    networks = list(dict.fromkeys(job.recipe.model for job in planned.jobs))
    drawn = {one.recipe.model: one.recipe for one in planned.values if one.claim in held.trained}
    checks = (*(exact.parameters(one.name, **one.options) for one in networks), *(exact.cost_of_reduction() if held.costs else ()))
    graphs = {network: graph(network.without_weights(), network.input) for network in networks}
    layers = {network: exact.held(network, graphs[network]) for network in networks}
    results, missing = trained(planned, Store(root), means, engine)
    return Reproduction(
        claims=held,
        command=command(name, budget, seeds, data, only),
        paper=load_paper(held.paper),
        budget=budget,
        seeds=seeds,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        environment=environment_of(results.values(), means),
        exact=checks,
        layers=layers,
        judged=tuple(judged(one, planned, results, missing) for one in planned.values),
        graphs={network: graphs[network] for network in drawn},
        gradients=gradients_at_start(drawn, means.data_dir),
        orders=judged_orders(planned.orders, results, missing),
        results=results,
    )


def trained(planned: Plan, store: Store, means: Means, engine: Engine) -> tuple[dict[Job, RunResult], dict[str, str]]:
    """The results of the jobs, as far as there is data, and by data set why there is none; seed by seed, so that pairs are whole early."""
    tasks = engine.tasks(sorted(planned.jobs, key=lambda job: job.seed), store, means)
    results: dict[Job, RunResult] = {}
    missing: dict[str, str] = {}
    failed: list[Outcome] = []
    with contextlib.closing(engine.run(tasks, means)) as outcomes:
        for outcome in filter(None, outcomes):
            if outcome.result:
                results[outcome.job] = outcome.result
            elif not outcome.no_data:
                failed.append(outcome)
            elif outcome.job.recipe.data not in missing:
                means.say(outcome.why)
                missing[outcome.job.recipe.data] = outcome.why.splitlines()[0]
            means.ended(outcome.job)
    if failed:
        raise EtudeError(f"{len(failed)} of {len(tasks)} runs failed: {failed[0].job}: {failed[0].why}; the same command tries again")
    return results, missing


def environment_of(results: Iterable[RunResult], means: Means) -> dict[str, Any]:
    """This machine's, with what the first run's numbers stand on, wherever that was."""
    first = next((run for run in (Run(result.folder) for result in results) if run.started), None)
    its = first.environment() if first else {}
    here = machine.environment(machine.choose_device(None if first else means.device))  # which need not have theirs
    return here | {key: its[key] for key in BEHIND_NUMBERS if key in here and key in its}


def so_far(planned: Plan, store: Store) -> tuple[tuple[Judged, ...], tuple[JudgedOrder, ...]]:
    """The claims by the finished runs that are there. One is judged when it has all its runs; orders, which share a level, all together."""
    results = {job: run.result() for job, run in runs_there(planned, store).items() if run.finished}
    values = tuple(judged(one, planned, results, {}) for one in planned.values)
    values = tuple(replace(one, verdict=waiting(one.planned.jobs, results) or one.verdict) for one in values)
    if not (waits := waiting((job for one in planned.orders for pair in one.pairs for job in pair), results)):
        return values, judged_orders(planned.orders, results, {})
    pairs = pairs_of(planned.orders, results)
    there = {one.claim.id for one in planned.orders if pairs[one.claim.id] and pairs.get(one.claim.by_less_than or one.claim.id)}
    measured = {one.claim.id: measured_order(one, pairs) for one in planned.orders if one.claim.id in there}
    orders = (JudgedOrder(one, pairs[one.claim.id], measured.get(one.claim.id), waits) for one in planned.orders)
    return values, tuple(orders)


def waiting(jobs: Iterable[Job], results: Mapping[Job, RunResult]) -> Verdict | None:
    """That nothing is judged yet, while runs are missing."""
    wanted = set(jobs)
    there = len(wanted & results.keys())
    return None if there == len(wanted) else Verdict("not judged", f"{there} of {len(wanted)} runs are there")


def runs_there(planned: Plan, store: Store) -> dict[Job, Run]:
    """By job its run, or the folder for one. How many threads it had is not asked: those of this process need not be a training's."""
    now = machine.environment(machine.choose_device(None))
    del now["threads"]
    return {job: store.found(job, now | {"source": machine.source_digest(job.recipe.model)}) for job in planned.jobs}


def gradients_at_start(drawn: Mapping[Network, Recipe], data_dir: Path | None) -> dict[Network, GradientReport]:
    """Of the untrained networks, as far as there is data."""
    found = {}
    with contextlib.suppress(NoSource), torch.random.fork_rng(devices=[]):
        for network, recipe in drawn.items():
            images = real_images(network.input, GRADIENT_IMAGES, recipe.data, data_dir)
            torch.manual_seed(0)
            found[network] = gradients(network.build(), *images)
    return found


def judged(planned: Planned, whole: Plan, results: Mapping[Job, RunResult], missing: Mapping[str, str]) -> Judged:
    """One claim of a value with its runs and its verdict."""
    own = results_of(planned.jobs, results)
    sample = Sample(tuple(planned.measured(result.test_accuracy) for result in own))
    beside = None
    if planned.claim.beside and planned.recipe.budget != "smoke":
        others = [one for one in whole.values if one.claim.recipe == planned.claim.beside]  # none where it was left out
        beside = _difference(own, results_of((job for other in others for job in other.jobs), results))
    return Judged(planned, own, sample, _verdict(planned, sample, missing), beside)


def results_of(jobs: Iterable[Job], results: Mapping[Job, RunResult]) -> tuple[RunResult, ...]:
    return tuple(results[job] for job in jobs if job in results)


def judged_orders(planned: Sequence[PlannedOrder], results: Mapping[Job, RunResult], missing: Mapping[str, str]) -> tuple[JudgedOrder, ...]:
    """The claimed orders with their runs and verdicts, each family judged together."""
    pairs = pairs_of(planned, results)
    told = {one.claim.id: why for one in planned if (why := _no_order(one, pairs, missing))}
    orders = {one.claim.id: measured_order(one, pairs) for one in planned if one.claim.id not in told}
    verdicts = {name: Verdict("not judged", why) for name, why in told.items()}
    for family in dict.fromkeys(one.claim.family for one in planned):
        together = [one for one in planned if one.claim.family == family and one.claim.id in orders]
        found = judge_orders([orders[one.claim.id] for one in together], together[0].worse.budget) if together else ()
        verdicts |= dict(zip((one.claim.id for one in together), found, strict=True))
    return tuple(JudgedOrder(one, pairs[one.claim.id], orders.get(one.claim.id), verdicts[one.claim.id]) for one in planned)


def pairs_of(planned: Sequence[PlannedOrder], results: Mapping[Job, RunResult]) -> dict[str, tuple[tuple[RunResult, RunResult], ...]]:
    """By order the pairs of which both runs are there."""
    return {one.claim.id: tuple((results[a], results[b]) for a, b in one.pairs if a in results and b in results) for one in planned}


def _no_order(planned: PlannedOrder, pairs: Mapping[str, Sequence[object]], missing: Mapping[str, str]) -> str:
    """Why there is nothing to judge, "" where there is."""
    if not pairs[planned.claim.id]:
        return "; ".join(dict.fromkeys(missing[recipe.data] for recipe in (planned.worse, planned.better) if recipe.data in missing))
    if (other := planned.claim.by_less_than) and not pairs.get(other):
        return f"it is held against {other}, which was left out"
    if planned.worse.data != planned.data and not planned.reencoded:
        return f"trained on {planned.worse.data}; the order is claimed of another data set"
    return ""


def measured_order(planned: PlannedOrder, pairs: Mapping[str, Sequence[tuple[RunResult, RunResult]]]) -> Order:
    """The differences, one a seed; where the claim is that they are smaller than another order's, how much smaller."""
    claim = planned.claim
    own = differences_of(claim, pairs[claim.id])
    if claim.by_less_than:
        other = differences_of(claim, pairs[claim.by_less_than])
        own = {seed: other[seed] - difference for seed, difference in own.items() if seed in other}
    return Order(tuple(own.values()), claim.least, planned.at, planned.seeds_needed)


def differences_of(claim: OrderClaim, pairs: Sequence[tuple[RunResult, RunResult]]) -> dict[int, float]:
    """By seed how much worse the worse one is, in points."""
    return {worse.seed: measured(claim, worse) - measured(claim, better) for worse, better in pairs}


def measured(claim: OrderClaim, result: RunResult) -> float:
    """What an order is about, of one run, in % error."""
    accuracy = result.fitted_accuracy if claim.measured == "training error" else result.test_accuracy
    assert accuracy is not None, "a plan has the training images tested where an order is about them"
    return 100 * (1 - accuracy)


def _verdict(planned: Planned, sample: Sample, missing: Mapping[str, str]) -> Verdict:
    if not sample.n:
        why = f"not trained at the {planned.recipe.budget} budget, which claims nothing of a table's values"
        return Verdict("not judged", missing.get(planned.recipe.data, why) if planned.trained else why)
    published = planned.published
    if published is None or planned.claim.unjudged:
        return Verdict("not judged", planned.claim.unjudged)
    if planned.recipe.data != planned.data:
        if planned.reencoded:
            why = f"{planned.recipe.data} holds {planned.data} in another encoding, and is so another data set; the two stand side by side"
            return Verdict("not judged: re-encoded", why)
        return Verdict("not judged", f"trained on {planned.recipe.data}; the published value is for another data set")
    return judge(
        sample.values,
        published=published.value,
        runs=published.runs,
        statistic=published.statistic,
        lower_is_better=published.is_error,
        budget=planned.recipe.budget,
        margin=planned.claim.margin,
        widest=planned.claim.widest,
        seeds_needed=planned.seeds_needed,
        fail=published.fail,
    )


def _difference(own: Sequence[RunResult], other: Sequence[RunResult]) -> float | None:
    """Mean difference of accuracy over the same seeds, in points; None where there is nothing to compare with."""
    beside = {result.seed: result.test_accuracy for result in other}
    pairs = [(result.test_accuracy, beside[result.seed]) for result in own if result.seed in beside]
    return 100 * statistics.fmean(a - b for a, b in pairs) if pairs else None


def _layers_as_dict(checks: tuple[LayerCheck, ...]) -> dict[str, Any]:
    differences = [f"{check.path}: {difference}" for check in checks for difference in check.differences]
    return {"operators": len(checks), "verdict": "departs" if differences else "exact", "differences": differences}
