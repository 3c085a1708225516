"""A plan carried out: exact facts checked, jobs run, claims judged."""

import contextlib
import datetime
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from etude.data.sources import NoSource
from etude.explain.gradients import GradientReport, gradients
from etude.explain.graph import graph
from etude.explain.images import real_images
from etude.explain.nodes import Graph
from etude.models.network import Network
from etude.papers import Paper
from etude.papers import load as load_paper
from etude.reproduce import claims
from etude.reproduce.claims import Claims
from etude.reproduce.plan import Planned, command, plan
from etude.reproduce.verdict import Sample, Verdict, judge
from etude.train import engine, machine
from etude.train.job import Means
from etude.train.recipe import as_table
from etude.train.run import RunResult
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
class Reproduction:
    """Everything a reproduction found; tables and pages are drawn from it.

    command          that does it again
    layers, graphs   by network: the operators that it runs, and how they compare with its paper's table
    gradients        of every network before it is trained, by seed 0, on images of its data; none without data
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

    @property
    def layers_exact(self) -> dict[Network, bool]:
        return {network: all(check.verdict == "exact" for check in checks) for network, checks in self.layers.items()}

    @property
    def all_exact(self) -> bool:
        """Whether nothing departs."""
        return all(check.verdict == "exact" for check in self.exact) and all(self.layers_exact.values())

    @property
    def failed(self) -> bool:
        """Whether anything departs or was not reproduced."""
        return not self.all_exact or any(judged.verdict.word == "not reproduced" for judged in self.judged)

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
            "trained": [judged.as_dict() for judged in self.judged],
            "failed": self.failed,
        }


def reproduce(
    name: str,
    *,
    budget: str = "laptop",
    seeds: int = 1,
    root: Path = Path("runs"),
    data: str | None = None,
    means: Means = Means(),
) -> Reproduction:
    """Check every exact fact, train every network of the claims on `seeds` seeds, and judge.

    Runs live in the store at `root` and are used again, or continued, when recipe, code and machine are the same.
    Without data the exact facts are still checked, and the trained claims are "not judged" with the reason.
    """
    held = claims.load(name)
    planned = plan(held, budget=budget, seeds=seeds, data=data)
    networks = list(dict.fromkeys(one.recipe.model for one in planned))
    checks = (*(exact.parameters(one.name, **one.options) for one in networks), *(exact.cost_of_reduction() if held.costs else ()))
    layers = {network: exact.layers(network.name, **network.options) for network in networks}
    results, missing = trained(planned, Store(root), means)
    return Reproduction(
        claims=held,
        command=command(name, budget, seeds, data),
        paper=load_paper(held.paper),
        budget=budget,
        seeds=seeds,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        environment=machine.environment(machine.choose_device(means.device)),
        exact=checks,
        layers=layers,
        judged=tuple(judged(one, results, missing) for one in planned),
        graphs={network: graph(network.without_weights(), network.input) for network in networks},
        gradients=gradients_at_start(planned, means.data_dir),
    )


def trained(planned: Iterable[Planned], store: Store, means: Means) -> tuple[dict[str, tuple[RunResult, ...]], str]:
    """The results of every claim's jobs, by its recipe, as far as there is data; and why there is none."""
    results: dict[str, tuple[RunResult, ...]] = {}
    try:
        for one in planned:
            results[one.claim.recipe] = tuple(engine.run_all(one.jobs, store, means))
    except NoSource as error:
        means.say(str(error))
        return results, str(error).splitlines()[0]
    return results, ""


def gradients_at_start(planned: Iterable[Planned], data_dir: Path | None) -> dict[Network, GradientReport]:
    """Of the untrained networks, as far as there is data."""
    found = {}
    with contextlib.suppress(NoSource), torch.random.fork_rng(devices=[]):
        for network, data in {one.recipe.model: one.recipe.data for one in planned}.items():
            images = real_images(network.input, GRADIENT_IMAGES, data, data_dir)
            torch.manual_seed(0)
            found[network] = gradients(network.build(), *images)
    return found


def judged(planned: Planned, results: Mapping[str, tuple[RunResult, ...]], missing: str) -> Judged:
    """One claim with its runs and its verdict."""
    own, other = (results.get(name, ()) for name in (planned.claim.recipe, planned.claim.beside))
    sample = Sample(tuple(planned.measured(result.test_accuracy) for result in own))
    beside = _difference(own, other) if planned.recipe.budget != "smoke" else None
    return Judged(planned, own, sample, _verdict(planned, sample, missing), beside)


def _verdict(planned: Planned, sample: Sample, missing: str) -> Verdict:
    if not sample.n:
        return Verdict("not judged", missing)
    if (published := planned.published) is None:
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
    )


def _difference(own: Sequence[RunResult], other: Sequence[RunResult]) -> float | None:
    """Mean difference of accuracy over the same seeds, in points; None where there is nothing to compare with."""
    pairs = [(a.test_accuracy, b.test_accuracy) for a, b in zip(own, other, strict=False)]
    return 100 * statistics.fmean(a - b for a, b in pairs) if pairs else None


def _layers_as_dict(checks: tuple[LayerCheck, ...]) -> dict[str, Any]:
    differences = [f"{check.path}: {difference}" for check in checks for difference in check.differences]
    return {"operators": len(checks), "verdict": "departs" if differences else "exact", "differences": differences}
