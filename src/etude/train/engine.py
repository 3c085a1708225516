"""Runs jobs, in this process: what a library user calls, and what every process that does one goes through."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from etude.data import stream
from etude.errors import EtudeError, UsageError
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.job import Diverged, Job, Means, Progress
from etude.train.loop import Training
from etude.train.recipe import Recipe
from etude.train.run import Run, RunResult
from etude.train.store import Store


def fit(
    recipe: Recipe | str,
    *,
    budget: str = "laptop",
    seed: int = 0,
    run: Run | Path | str | None = None,
    device: str | None = None,
    data_dir: Path | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda message: None,
) -> RunResult:
    """Train a network by a recipe; continues where `run` stopped, and returns at once when it has ended.

    recipe    a Recipe, or the name of one (see `etude ls --recipes`) or a .toml file, read at `budget`
    run       its folder; by default a new one below ./runs
    device, data_dir, watch, say   as in `Means`; `watch` is called with the progress alone
    Raises    EtudeError for anything the user can mend; Interrupted after Ctrl-C
    """
    job = Job(recipes.load(recipe, budget) if isinstance(recipe, str) else recipe, seed)
    means = Means(device, data_dir, lambda _, progress: watch(progress), say)
    run = Run(Path(run)) if isinstance(run, Path | str) else run or Store(Path("runs")).new(job)
    return run_job(job, run, means)


def resume(run: Run, means: Means = Means()) -> RunResult:
    """Continue a run from its last checkpoint; where the means name no device, on its own, or on the best there is if that is not here."""
    job, device = means.world.told(run.job), means.device
    if device is None:
        with contextlib.suppress(UsageError):
            device = str(machine.choose_device(means.world.told(lambda: run.environment()["device"])))
    return run_job(job, run, replace(means, device=device))


def run_job(job: Job, run: Run, means: Means) -> RunResult:
    """The result of one job in the folder of `run`: as it is there, continued, or new."""
    world = means.world

    def advice() -> str:
        return f"continue with: {world.command} train --resume {run.folder}" if run.started else "start again"

    with (
        run.locked() if world.is_writer else contextlib.nullcontext(),
        world.guarded(advice),
        stream.guarded(advice),
    ):
        if world.told(lambda: run.started and run.job() != job):
            raise EtudeError(f"{run.folder}: holds a run of another recipe or seed; choose another folder")
        if not world.told(lambda: run.finished):
            try:
                with torch.random.fork_rng(devices=[]), threads_kept():
                    Training(run, job, means).run_to_the_end()
            except torch.OutOfMemoryError as error:
                smaller = f", or begin anew with --set batch={job.recipe.batch // 2}" if job.recipe.batch > 1 else ""
                raise EtudeError(f"the device has no room for it: with fewer runs at a time {advice()}{smaller}") from error
        return world.told(run.result)


def run_to_result(job: Job, run: Run, means: Means) -> RunResult:
    """The same of one job among others, where a run that diverges is a result too."""
    try:
        return run_job(job, run, means)
    except Diverged as error:
        means.say(str(error))
        run.give_up(error.step, error.warning)
        return run.result()


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Leave torch's thread count as it was found."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
