"""Claims to jobs, jobs to runs, runs to verdicts."""

import contextlib
import datetime
import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from etude.data.sources import NoSource
from etude.errors import EtudeError
from etude.explain.gradients import GradientReport, gradients
from etude.explain.graph import graph
from etude.explain.images import real_images
from etude.explain.nodes import Graph
from etude.models import registry
from etude.papers import Curve, Paper
from etude.papers import load as load_paper
from etude.reproduce import claims
from etude.reproduce.claims import Claim, Claims
from etude.reproduce.verdict import Sample, Verdict, judge
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.loop import fit
from etude.train.recipe import Recipe
from etude.train.result import Interrupted, Progress, RunResult
from etude.train.run import Run
from etude.verification import exact
from etude.verification.exact import Check, LayerCheck

GRADIENT_IMAGES = 64


@dataclass(frozen=True)
class Trained:
    """One claim and the runs that answer it.

    published  the curve of the source, or None where it gives no result
    beside     the mean difference to the network it is compared with, in points, over the same seeds
    """

    claim: Claim
    recipe: Recipe
    results: tuple[RunResult, ...]
    published: Curve | None
    verdict: Verdict
    beside: float | None = None

    @property
    def sample(self) -> Sample:
        return Sample(tuple(100 * result.test_accuracy for result in self.results))

    @property
    def seconds(self) -> float:
        """Seconds of training and testing, all seeds together."""
        return sum(result.seconds for result in self.results)


@dataclass(frozen=True)
class Report:
    """Everything a reproduction found; tables and pages are drawn from it.

    graphs     the operators that every network runs
    gradients  of every network before it is trained, by seed 0, on images of its data; none without data
    """

    claims: Claims
    paper: Paper
    budget: str
    seeds: int
    date: str
    environment: dict[str, Any]
    exact: tuple[Check, ...]
    layers: dict[str, tuple[LayerCheck, ...]]
    trained: tuple[Trained, ...]
    graphs: dict[str, Graph]
    gradients: dict[str, GradientReport]

    @property
    def layers_exact(self) -> dict[str, bool]:
        return {name: all(check.verdict == "exact" for check in checks) for name, checks in self.layers.items()}

    @property
    def all_exact(self) -> bool:
        """Whether nothing departs."""
        return all(check.verdict == "exact" for check in self.exact) and all(self.layers_exact.values())

    @property
    def failed(self) -> bool:
        """Whether anything departs or was not reproduced."""
        return not self.all_exact or any(trained.verdict.word == "not reproduced" for trained in self.trained)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for --json and for records."""
        return {
            "reproduction": self.claims.name,
            "budget": self.budget,
            "seeds": self.seeds,
            "date": self.date,
            "environment": self.environment,
            "exact": [asdict(check) | {"verdict": check.verdict} for check in self.exact],
            "layers": {name: _layers_as_dict(checks) for name, checks in self.layers.items()},
            "trained": [_trained_as_dict(trained) for trained in self.trained],
            "failed": self.failed,
        }


def reproduce(
    name: str,
    *,
    budget: str = "laptop",
    seeds: int = 1,
    root: Path = Path("runs"),
    data: str | None = None,
    device: str | None = None,
    data_dir: Path | None = None,
    watch: Callable[[str, int, Progress], None] = lambda network, seed, progress: None,
    say: Callable[[str], None] = lambda message: None,
) -> Report:
    """Check every exact fact, train every network of the claims on `seeds` seeds, and judge.

    Runs live in ROOT/NAME/BUDGET and are reused, or continued, when recipe, code and machine are the same.
    Without data the exact facts are still checked, and the trained claims are "not judged" with the reason.
    """
    held = claims.load(name)
    paper = load_paper(held.paper)
    chosen = {claim.recipe: recipe_of(claim, budget, data) for claim in held.trained}
    networks = [recipe.model for recipe in chosen.values()]
    exact_checks = (*(exact.parameters(network) for network in networks), *exact.cost_of_reduction())
    layers = {network: exact.layers(network) for network in networks}
    train = Trainer(root / name / budget, device, data_dir, watch, say)
    results = {key: train.all_seeds(recipe, seeds) for key, recipe in chosen.items()}
    return Report(
        claims=held,
        paper=paper,
        budget=budget,
        seeds=seeds,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        environment=machine.environment(machine.choose_device(device)),
        exact=exact_checks,
        layers=layers,
        trained=tuple(judged(claim, chosen[claim.recipe], results, paper, train.missing) for claim in held.trained),
        graphs={network: graph(exact.without_weights(network), registry.row(network).input) for network in networks},
        gradients=gradients_at_start(chosen.values(), data_dir),
    )


def gradients_at_start(chosen: Iterable[Recipe], data_dir: Path | None) -> dict[str, GradientReport]:
    """Of the untrained networks, by name, as far as there is data."""
    found = {}
    with contextlib.suppress(NoSource), torch.random.fork_rng(devices=[]):
        for recipe in chosen:
            images = real_images(registry.row(recipe.model).input, GRADIENT_IMAGES, recipe.data, data_dir)
            torch.manual_seed(0)
            found[recipe.model] = gradients(registry.build(recipe.model), *images)
    return found


def recipe_of(claim: Claim, budget: str, data: str | None) -> Recipe:
    recipe = recipes.load(claim.recipe, budget)
    return recipe.on(data) if data else recipe


@dataclass
class Trainer:
    """Runs the jobs one after the other, in folders that are found again. `missing` says why there is no data, if so."""

    folder: Path
    device: str | None
    data_dir: Path | None
    watch: Callable[[str, int, Progress], None]
    say: Callable[[str], None]
    missing: str = ""

    def all_seeds(self, recipe: Recipe, seeds: int) -> tuple[RunResult, ...]:
        """The results of every seed; none when there is no data."""
        try:
            return tuple(self.train(recipe, seed) for seed in range(seeds)) if not self.missing else ()
        except NoSource as error:
            self.say(str(error))
            self.missing = str(error).splitlines()[0]
            return ()

    def train(self, recipe: Recipe, seed: int) -> RunResult:
        """The result of one run, found, continued or new. Raises Interrupted after Ctrl-C."""
        try:
            return fit(
                recipe,
                seed=seed,
                run=self.find_run(recipe, seed),
                device=self.device,
                data_dir=self.data_dir,
                watch=lambda progress: self.watch(recipe.model, seed, progress),
                say=self.say,
            )
        except Interrupted as error:
            raise Interrupted(f"{str(error).partition(';')[0]}; the same command again continues there") from None

    def find_run(self, recipe: Recipe, seed: int) -> Run:
        """The run of this recipe and seed by this code on this machine, finished or not; otherwise a folder not used yet."""
        now = machine.environment(machine.choose_device(self.device))
        for number in itertools.count(1):
            run = Run(self.folder / recipe.model / (f"seed-{seed}" if number == 1 else f"seed-{seed}-{number}"))
            if not run.started:
                return run
            with contextlib.suppress(EtudeError):  # a damaged folder, or one of another version, is left as it is
                if not machine.differences(run.environment(), now) and run.holds(recipe, seed):
                    return run
        raise AssertionError


def judged(claim: Claim, recipe: Recipe, results: Mapping[str, tuple[RunResult, ...]], paper: Paper, missing: str) -> Trained:
    """One claim with its runs and its verdict."""
    own = results[claim.recipe]
    curve = paper.curves[claim.published] if claim.published else None
    beside = _difference(own, results.get(claim.beside, ())) if recipe.budget != "smoke" else None
    return Trained(claim, recipe, own, curve, _verdict(claim, recipe, own, paper, missing), beside)


def _verdict(claim: Claim, recipe: Recipe, results: tuple[RunResult, ...], paper: Paper, missing: str) -> Verdict:
    if not results:
        return Verdict("not judged", missing)
    if not claim.published:
        return Verdict("not judged", claim.unjudged)
    if recipe.data != recipes.load(claim.recipe, recipe.budget).data:
        return Verdict("not judged", f"trained on {recipe.data}; the published value is for another data set")
    accuracies = [100 * result.test_accuracy for result in results]
    published, runs = float(paper.curves[claim.published].last.held), int(paper.fact(claim.runs).held)
    return judge(accuracies, published=published, runs=runs, budget=recipe.budget, margin=claim.margin)


def _difference(own: tuple[RunResult, ...], other: tuple[RunResult, ...]) -> float | None:
    """Mean difference over the same seeds, in points; None where there is nothing to compare with."""
    pairs = [(a.test_accuracy, b.test_accuracy) for a, b in zip(own, other, strict=False)]
    return 100 * statistics.fmean(a - b for a, b in pairs) if pairs else None


def _layers_as_dict(checks: tuple[LayerCheck, ...]) -> dict[str, Any]:
    differences = [f"{check.path}: {difference}" for check in checks for difference in check.differences]
    return {"operators": len(checks), "verdict": "departs" if differences else "exact", "differences": differences}


def _trained_as_dict(trained: Trained) -> dict[str, Any]:
    sample = trained.sample
    return {
        "network": trained.recipe.model,
        "recipe": asdict(trained.recipe),
        "published": trained.published and asdict(trained.published.last),
        "n": sample.n,
        "accuracy": list(sample.values),
        "mean": sample.mean if sample.n else None,
        "spread": sample.spread if sample.n > 1 else None,
        "beside": trained.claim.beside,
        "difference": trained.beside,
        "seconds": [result.seconds for result in trained.results],
        "warnings": [result.warning for result in trained.results if result.warning],
        "runs": [str(result.folder) for result in trained.results],
        "metrics": [list(result.metrics) for result in trained.results],
        "verdict": trained.verdict.word,
        "why": trained.verdict.why,
    }
