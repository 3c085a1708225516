"""Trains the papers' networks in full, on whatever device there is, for so many minutes, and goes on where it stopped.

    python benchmarks/paper.py --plan                               what a seed of every row of the papers costs on this machine
    python benchmarks/paper.py "resnet20*" --seeds 5 --minutes 480 --runs RUNS --data FOLDER        a night on a laptop
    python benchmarks/paper.py "*.he2015" --seeds 5 --minutes 14 --runs RUNS --at-once 8            a quarter of an hour on a GPU

A row is a network of a published table by the recipe of its column, NETWORK.RECIPE, at the budget `paper`. PATTERNs choose among them;
any other name, or recipe file, of `etude train` is taken as well. With the data of a declared re-encoding only the rows of that set are
trained.

The next run is always the one with the fewest multiply-adds left, begun or not. In a given time no other order finishes more seeds; a
begun run has less left than a new one of its network, so what is begun is finished first. (Once all the cheap ones are finished, the
dear ones have their turn.) Where the time does not suffice for a run it is begun all the same, since it goes on the next time, also on
another device; its record then says "not bit-identical" and why.

Runs are processes of their own, --at-once of them, which share the threads. When the minutes are over, by Ctrl-C, and when this process
dies, each finishes its step and saves; kill -9 of one loses at most the 15 s between two checkpoints. RUNS/paper.json says every half
minute which device, threads and data gave what, for finished and for unfinished runs.
"""

import argparse
import contextlib
import datetime
import fnmatch
import json
import math
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from etude.cli.render import table
from etude.data import catalog, declaration
from etude.errors import EtudeError, UsageError
from etude.files import write_text
from etude.jobs.local import Processes
from etude.jobs.task import Engine, Outcome, Task
from etude.papers import load as load_paper
from etude.reproduce import claims
from etude.reproduce.cost import multiply_adds
from etude.train import loop, machine, optimizers
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Job, Means, Progress
from etude.train.recipe import Recipe
from etude.train.store import Store
from etude.views.runs import state_of
from etude.wording import UNKNOWN, percent

RECORD_SECONDS = 30.0
STEPS_TIMED, MACS_TIMED = 2, 2e9  # of a step on a CPU, forward, whose pace depends little on the batch; a GPU takes the whole batch
STANDS_ON = ("etude", "revision", "source", "torch", "device", "device_name", "threads", "data", "images", "reencoded")


# ── What there is to do ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Row(Task):
    """One run to do, or to go on with.

    images  of training that it sees in all its steps, each as often as it is seen
    tested  images that it classifies in its tests
    macs    multiply-adds of an image, forward
    """

    steps: int
    images: int
    tested: int
    macs: int

    @property
    def step(self) -> int:
        """How far it is, by its last line of metrics, of which a run writes at least a hundred."""
        curve = self.run.curve() if self.run.started else []
        return curve[-1]["step"] if curve else 0

    @property
    def work(self) -> float:
        """Multiply-adds of training forward; a test costs a third, since nothing goes backward."""
        return self.macs * (self.images + self.tested / 3)

    @property
    def left(self) -> float:
        """What is still to do of the work."""
        return 0.0 if self.run.finished else self.work * (1 - self.step / self.steps)


def rows() -> tuple[str, ...]:
    """Every row of the papers' tables that names a network of ours, as it is claimed."""
    held = (one for one in map(claims.load, claims.names()) if one.tables)
    return tuple(dict.fromkeys(claim.recipe for one in held for claim in claims.values(one, load_paper(one.paper))))


def chosen(patterns: Sequence[str], data: str | None) -> list[tuple[Recipe, str]]:
    """The recipes that match, on other data where `data` names some, and the set that each is for.

    Raises UsageError for a name that is neither a row nor a recipe, and where the data is another set's.
    """
    every = rows()
    named = [name for pattern in patterns or ["*"] for name in fnmatch.filter(every, pattern) or [pattern]]
    found = [recipes.load(name, "paper") for name in dict.fromkeys(named)]
    declared = declaration.declared(Path(data)) if data else ""
    kept = [(recipe.on(data) if data else recipe, recipe.data) for recipe in found if declared in ("", recipe.data)]
    if not kept:
        raise UsageError(f"{data} is {declared} in another encoding, {named[0]} is for {found[0].data}; choose rows of {declared}")
    return kept


def task_of(job: Job, data: str, store: Store) -> Row:
    """A job and its run by this code, on whatever machine it was begun.

    data  the set of the catalog whose images are counted
    """
    recipe, row = job.recipe, catalog.row(data)
    there = recipe.images or row.train - (recipe.validation or 0)
    an_epoch = math.ceil(there / recipe.batch)
    steps = recipe.steps or max(1, round((recipe.epochs or 0) * an_epoch))
    beside = row.test + (recipe.validation or 0) + (recipe.fitted or 0)
    run = store.found(job, {"source": machine.source_digest(recipe.model)})
    macs = multiply_adds(recipe)
    if macs is None:
        raise UsageError(f"{recipe.title}: its paper has no such network, so nobody knows what it costs; train it by `etude train`")
    return Row(job, run, steps, steps * there // an_epoch, math.ceil(steps / an_epoch + 1) * beside, macs)


# ── Training ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def train(tasks: Sequence[Row], engine: Engine, means: Means, seconds: float, record: "Record") -> bool:
    """Do the tasks until the time is over; whether Ctrl-C ended it. Every process has ended then, and its run is saved."""
    over = time.monotonic() + seconds
    waiting = sorted((task for task in tasks if not task.run.finished), key=lambda task: task.left)
    pressed = False
    try:
        with contextlib.closing(engine.run(waiting, replace(means, watch=record.watch))) as outcomes:
            for outcome in outcomes:
                if outcome:
                    record.note(outcome)
                record.write_now_and_then()
                if time.monotonic() >= over:
                    break
    except (Interrupted, KeyboardInterrupt):
        pressed = True
    for task in tasks:
        if task.job in record.begun and not task.run.finished:
            print(f"{task.job}: at step {task.step:,}", flush=True)
    record.write()
    return pressed


class Record:
    """What the runs have found, as a file that is whole at any time."""

    def __init__(self, file: Path, tasks: Sequence[Row], device: torch.device) -> None:
        self.file, self.tasks = file, tasks
        self.begun: set[Job] = set()
        self.failed: dict[Job, str] = {}
        self.head = {
            "command": shlex.join(["python", "benchmarks/paper.py", *sys.argv[1:]]),
            "budget": "paper",
            "environment": machine.environment(device),
            "recipes": {task.job.recipe.title: recipes.as_table(task.job.recipe) for task in tasks},
        }
        self.written = -math.inf

    def watch(self, job: Job, progress: Progress) -> None:
        """Say that a run has begun, or goes on."""
        if job not in self.begun:
            self.begun.add(job)
            print(f"{job}: from step {progress.step:,} of {progress.steps:,}", flush=True)

    def note(self, outcome: Outcome) -> None:
        """Say what came of a run."""
        if outcome.why:
            self.failed[outcome.job] = outcome.why
        found = f"{percent(1 - outcome.result.test_accuracy)} test error" if outcome.result else outcome.why
        print(f"{outcome.job}: {found}", flush=True)
        self.written = -math.inf

    def write_now_and_then(self) -> None:
        if time.monotonic() - self.written >= RECORD_SECONDS:
            self.write()

    def write(self) -> None:
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        content = self.head | {"date": date, "runs": [self.row(task) for task in self.tasks]}
        write_text(self.file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        self.written = time.monotonic()

    def row(self, task: Row) -> dict[str, Any]:
        """A run as far as it has come; its test error, in %, when it has ended."""
        run, curve = task.run, task.run.curve() if task.run.started else []
        result = run.result() if run.finished else None
        environment = run.environment() if run.started else {}
        return {
            "recipe": task.job.recipe.title,
            "seed": task.job.seed,
            "state": state_of(run),
            "failed": self.failed.get(task.job, ""),
            "step": task.step,
            "steps": task.steps,
            "test error": result and 100 * (1 - result.test_accuracy),
            "diverged": result and result.diverged,
            "seconds": curve[-1]["seconds"] if curve else 0.0,
            "warning": result.warning if result else "",
            "environment": {key: environment[key] for key in STANDS_ON if key in environment},
            "curve": curve,
        }


# ── What it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


def plan(tasks: Sequence[Row], device: torch.device) -> None:
    """Print what a seed of every recipe costs on this machine, the cheapest first, and how many are there.

    A network's pace, in seconds a multiply-add, is that of all its rows.
    """
    of_network: dict[str, list[Row]] = {}
    of_recipe: dict[Recipe, list[Row]] = {}
    for task in tasks:
        of_network.setdefault(task.job.recipe.model.name, []).append(task)
        of_recipe.setdefault(task.job.recipe, []).append(task)
    paces = {name: pace_of_runs(several, device) for name, several in of_network.items()}
    timed = [name for name, pace in paces.items() if pace is None]
    for name in timed:
        print(f"timing {STEPS_TIMED} steps of {name}", file=sys.stderr, flush=True)
        paces[name] = pace_of_steps(of_network[name][0], device)
    lines = []
    for recipe, seeds in sorted(of_recipe.items(), key=lambda one: one[1][0].work):
        first, pace = seeds[0], paces[recipe.model.name] or math.nan
        line = (f"{first.macs / 1e6:,.0f} M", f"{first.images / (pace * first.work):,.0f}", clock(pace * first.work))
        done, left = sum(task.run.finished for task in seeds), sum(task.left for task in seeds)
        how = "steps" if recipe.model.name in timed else "runs"
        lines.append((recipe.title, Path(recipe.data).name, recipe.length, *line, how, f"{done} of {len(seeds)}", clock(pace * left)))
    columns = ("row", "data", "length", "multiply-adds", "images/s", "a seed", "measured by", "there", "still to do")
    table(columns, lines, (3, 4, 5, 7, 8))
    here = machine.environment(device)
    print(f"on {here['device']}, {here['device_name']}, threads: {here['threads']}; one run at a time")


def pace_of_runs(tasks: Iterable[Row], device: torch.device) -> float | None:
    """Seconds a multiply-add in a run that this machine has begun; None where there is none."""
    here = machine.environment(device)
    for task in tasks:
        if task.step and all(task.run.environment()[key] == here[key] for key in ("device_name", "threads")):
            seconds: float = task.run.curve()[-1]["seconds"]
            return seconds / (task.work * task.step / task.steps)
    return None


def pace_of_steps(task: Row, device: torch.device) -> float:
    """The same of the quickest of a few steps on random images, as in a run but for reading and augmenting them; NaN without room.

    On a CPU by the processor's time, as if nothing else ran there.
    """
    recipe = task.job.recipe
    batch = recipe.batch if device.type != "cpu" else min(recipe.batch, max(1, int(MACS_TIMED / task.macs)))
    machine.keep_freed_blocks()
    machine.make_deterministic(device)
    with contextlib.suppress(torch.OutOfMemoryError):
        model = recipe.model.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        made = optimizers.make_optimizers(recipe, model, device)
        x = torch.randn(batch, *recipe.model.input, device=device).to(memory_format=torch.channels_last)
        y = torch.zeros(batch, dtype=torch.long, device=device)
        times = []
        for _ in range(1 + STEPS_TIMED):
            began = seconds_of(device)
            loss, _ = loop.loss_and_right(model, x, y, recipe.label_smoothing)
            model.zero_grad()
            loss.backward()
            for optimizer in made:
                optimizer.step()
            times.append(seconds_of(device) - began)
        return min(times[1:]) / (batch * task.macs)
    return math.nan


def seconds_of(device: torch.device) -> float:
    """A clock, when all that the device was asked is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.process_time() / torch.get_num_threads() if device.type == "cpu" else time.perf_counter()


def clock(seconds: float) -> str:
    """`40 s`, `12 min`, `3.2 h`, `1.5 days`."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length * (1.5 if unit == "days" else 1):
            return f"{seconds / length:,.{0 if unit == 'min' or seconds >= 100 * length else 1}f} {unit}"
    return UNKNOWN if math.isnan(seconds) else f"{seconds:.0f} s"


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help='such as "resnet20*" or "*.he2015"; all rows without one')
    parser.add_argument("--seeds", type=int, default=1, help="how many, counted from 0")
    parser.add_argument("--minutes", type=float, default=math.inf, help="by default until all is done")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs and record lie")
    parser.add_argument("--data", help="a name of `etude data ls`, or a folder of images")
    parser.add_argument("--data-dir", type=Path, help="your folder with the official files")
    parser.add_argument("--device", help="cpu, cuda or mps; by default the best there is")
    parser.add_argument("--at-once", type=int, default=1, metavar="K", help="runs at a time: 1 or 2 on a CPU, what a GPU has room for")
    parser.add_argument("--plan", action="store_true", help="print what it costs here, and train nothing")
    options = parser.parse_args()
    if options.seeds < 1 or options.at_once < 1 or not options.minutes > 0:
        raise UsageError("--seeds and --at-once are expected to be at least 1, --minutes above 0")
    device, store = machine.choose_device(options.device), Store(options.runs)
    recipes_and_data = chosen(options.patterns, options.data)
    tasks = [task_of(Job(recipe, seed), data, store) for recipe, data in recipes_and_data for seed in range(options.seeds)]
    if options.plan:
        plan(tasks, device)
        return 0
    threads = max(1, torch.get_num_threads() // options.at_once)
    means = Means(str(device), options.data_dir, say=print)
    record = Record(options.runs / "paper.json", tasks, device)
    pressed = train(tasks, Processes(options.at_once, threads), means, 60 * options.minutes, record)
    print(f"{sum(task.run.finished for task in tasks)} of {len(tasks)} runs finished; record: {record.file}")
    return Interrupted.exit_code if pressed else 1 if record.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EtudeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except OSError as error:
        sys.exit(f"error: {error.filename or 'the disk'}: {error.strerror or error}; what was saved before is intact")
