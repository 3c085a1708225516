"""What was trained: all runs of a store, or one. No torch."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etude.errors import EtudeError
from etude.papers import Curve
from etude.papers import load as load_paper
from etude.train import recipe as recipes
from etude.train.recipe import Recipe, to_toml
from etude.train.run import Run, RunResult
from etude.train.store import Store
from etude.views.view import CurvePicture, Drawing, Remarks, Table, Text, View
from etude.wording import UNKNOWN, number, percent, size

LINES_OF_PACE = 10  # a tenth of a run, or less
OF_A_STREAM = {"test_top5_accuracy": "top-5", "ten_crop_accuracy": "ten crops", "ten_crop_top5_accuracy": "ten crops, top-5"}


def runs_view(store: Store) -> View:
    """Every run, finished or not."""
    found = [summary(run) for run in store.runs()]
    rows = tuple(
        (row["run"], row["recipe"], row["budget"], str(row["seed"]), f"{row['epoch']:.3g}", percent(row["test_accuracy"]), row["state"])
        for row in found
    )
    columns = ("run", "recipe", "budget", "seed", "epoch", "test accuracy", "state")
    shown = Table(columns, rows, (3, 4, 5)) if rows else Text(f"no runs in {store.root}")
    return View("Runs", "etude runs ls", (shown,), found)


def summary(run: Run) -> dict[str, Any]:
    """One line about a run; what cannot be read is said in its `state`, so that one bad folder does not hide the others."""
    row: dict[str, Any] = {"run": str(run.folder), "recipe": "", "budget": "", "seed": "", "epoch": 0, "test_accuracy": float("nan")}
    try:
        job, metrics = run.job(), run.metrics()
        row |= {"recipe": job.recipe.title, "budget": job.recipe.budget, "seed": job.seed}
        if metrics:
            row |= {"epoch": metrics[-1]["epoch"], "test_accuracy": metrics[-1]["test_accuracy"]}
        if run.finished and run.result().diverged is not None:
            return row | {"test_accuracy": float("nan"), "state": "diverged"}
        if run.finished and job.recipe.result != "last":
            row |= {"test_accuracy": run.result().test_accuracy}  # which is that of the epoch that was chosen
        return row | {"state": state_of(run)}
    except EtudeError as error:
        return row | {"state": f"unreadable: {error}"}


def state_of(run: Run) -> str:
    return "finished" if run.finished else "running" if run.running else "unfinished" if run.started else "to do"


def run_view(run: Run) -> View:
    """Recipe, what it stands on, and every test. Raises EtudeError for a folder that is no run."""
    job, environment, metrics = run.job(), run.environment(), run.metrics()
    more = {key: column for key, column in OF_A_STREAM.items() if any(key in row for row in metrics)}
    rows = tuple(
        (
            *(f"{row['epoch']:.3g}", str(row["step"]), loss(row["train_loss"]), loss(row["test_loss"])),
            *(percent(row[key]) if key in row else "" for key in ("test_accuracy", *more)),
        )
        for row in metrics
    )
    columns = ("epoch", "step", "training loss", "test loss", "test accuracy", *more.values())
    tests = Table(columns, rows, tuple(range(len(columns))))
    end = end_of(run)
    stands_on = Table((), tuple((key, in_words(value)) for key, value in environment.items()))
    curve = run.curve()
    picture = (CurvePicture(str(job.recipe.model), metrics, curve),) if metrics else ()
    parts = (Drawing(to_toml(job.recipe)), Text("What it stands on:"), stands_on, tests, *picture, *((Text(end),) if end else ()))
    plain = {"recipe": to_toml(job.recipe), "environment": environment, "curve": curve, "state": state_of(run)}
    return View(str(job), f"etude runs show {run.folder}", parts, plain)


def view_of_result(found: RunResult) -> View:
    """How a run has ended, and the way there."""
    title, command = f"{found.recipe.title} seed {found.seed}", f"etude runs show {found.folder}"
    said = (f"run: {found.folder}", *((found.warning,) if found.warning else ()))
    picture = CurvePicture(str(found.recipe.model), found.metrics, found.curve)
    plain = {"run": str(found.folder), "accuracy": found.test_accuracy, "seconds": found.seconds, "curve": found.curve}
    return View(title, command, (Text(in_short(found)), Remarks(said), picture), plain)


def in_short(found: RunResult) -> str:
    """How a run has ended, in a sentence."""
    if found.diverged is not None:
        return f"{found.recipe.model}: {gave_up(found.diverged)}; seed {found.seed}"
    right = round(found.test_accuracy * found.test_images)
    when = "after" if found.recipe.result == "last" else "at the lowest validation error within"
    return (
        f"{found.recipe.model}: {percent(found.test_accuracy)} of the test images right ({right:,} of {found.test_images:,}) {when} "
        f"{found.recipe.length}, {found.seconds:.1f} s, seed {found.seed}"
    )


def end_of(run: Run) -> str:
    """What is to be said of how a run ended; "" where nothing is."""
    if not run.finished:
        return "running" if run.running else f"unfinished; continue with: etude train --resume {run.folder}"
    found = run.result()
    return found.warning if found.diverged is None else gave_up(found.diverged)


def gave_up(step: int) -> str:
    return f"diverged at step {step}; beside others it counts as guessing"


@dataclass(frozen=True)
class Pace:
    """How far a run is by its last line, and how fast it was over the last few; None for what is not known yet."""

    step: int
    steps: int | None
    images_per_second: float | None
    seconds_left: float | None


def pace(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> Pace:
    """By the metrics of a run; interruptions count for nothing there, tests do."""
    step = rows[-1]["step"] if rows else 0
    steps = recipe.steps
    if steps is None and step:
        steps = max(1, round((recipe.epochs or 0) * rows[-1]["step"] / rows[-1]["epoch"]))
    before = next((row for row in rows[-LINES_OF_PACE:] if row["step"] < step), None)
    if before is None or (seconds := rows[-1]["seconds"] - before["seconds"]) <= 0:
        return Pace(step, steps, None, None)
    rate = (step - before["step"]) / seconds
    return Pace(step, steps, rate * recipe.batch, None if steps is None else (steps - step) / rate)


def published_curve(recipe: Recipe) -> Curve | None:
    """Of that network, in its paper; none for a run on other data than the paper's, or on a part, whose epochs are shorter."""
    curves = load_paper(recipe.model.row.paper).curves.values()
    if recipe.images or recipe.data not in data_of(recipe.model.name):
        return None
    return next((curve for curve in curves if curve.network == str(recipe.model)), None)


@functools.cache
def data_of(network: str) -> frozenset[str]:
    """What the recipes for a network train on."""
    known = map(recipes.brought, recipes.files())
    return frozenset(file.data for file in known if network in file.models)


def in_words(value: Any) -> str:
    """A value of env.json; of a mean image, and of a covariance, only its size."""
    if not isinstance(value, list):
        return str(value)
    shape = list[int]()
    inner = value
    while inner and isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0]
    return number(tuple(value)) if len(shape) < 2 else f"{'an image' if len(shape) == 3 else 'a table'} of {size(shape)}"


def loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"
