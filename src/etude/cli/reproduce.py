"""`etude reproduce`: claims, verdicts, and the page."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from etude.cli.render import as_json, say, show, watcher
from etude.errors import EtudeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etude.jobs.task import Engine, Task
    from etude.train.job import Means


@click.command()
@click.argument("name")
@click.option("--budget", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="How many seeds, counted from 0.")
@click.option("--plan", "plan_", is_flag=True, help="Show the runs that it takes and which are there, and train nothing.")
@click.option("--only", metavar="PATTERN", help='Only the networks, or the orders, of that name: "resnet20*".')
@click.option("--data", help="Other data than the paper's: a name or a folder; then no value is judged.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs and the page go.")
@click.option("--on", default="local", show_default=True, metavar="PLACE", help="local, ray, ray://HOST:PORT; slurm: a script for sbatch.")
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time, in processes of their own; else one, and on Ray what has room.")
@click.option("--threads", type=click.IntRange(min=1), help="Of a run; else what is here, shared by --jobs, and elsewhere 1.")
@click.option("--gpu", default=0.0, type=click.FloatRange(min=0), help="The share of a GPU that a run takes, on Ray or by Slurm.")
@click.option("--index", type=click.IntRange(min=0), help="That run of the plan alone, as a task of the script for Slurm does it.")
@click.option("--json", "json_", is_flag=True, help="Print JSON instead of the tables.")
def reproduce(
    name: str,
    budget: str,
    seeds: int,
    plan_: bool,
    only: str | None,
    data: str | None,
    data_dir: Path | None,
    device: str | None,
    runs: Path,
    on: str,
    jobs: int | None,
    threads: int | None,
    gpu: float,
    index: int | None,
    json_: bool,
) -> int:
    """Reproduce NAME: lecture, resnet, identity_mappings or densenet, a table of one (resnet.table_6), or the claims in a .toml file.

    Exact facts are checked, networks trained, values and orders judged, and a page drawn. Exit code 1 if anything departs, is not
    reproduced, or is the other way round. Ctrl-C stops it, and the same command goes on.
    """
    from etude.reproduce import claims
    from etude.reproduce.plan import command, plan
    from etude.train.store import Store
    from etude.views.reproduction import plan_view, reproduction_view

    planned = plan(claims.load(name), budget=budget, seeds=seeds, data=data, only=only)
    if plan_:
        show(plan_view(name, planned, Store(runs), command(name, budget, seeds, data, only)), json_=json_)
        return 0
    if index is not None and on != "slurm":
        raise UsageError("--index is for the tasks of a script that --on slurm prints; --only chooses among networks")

    from etude.files import write_text
    from etude.jobs.engines import engine_for
    from etude.report.page import reproduction_page
    from etude.reproduce.reproduction import reproduce as run
    from etude.train.job import Means

    engine, means = engine_for(on, jobs, threads, gpu), Means(device, data_dir)
    if on == "slurm":
        tasks = engine.tasks(planned.jobs, Store(runs), means)
        if index is not None:
            return do_one(engine, tasks, index, means)
        if left := [number for number, task in enumerate(tasks) if not task.run.finished]:
            from etude.jobs.slurm import script

            click.echo(script(typed(click.get_current_context()), left, threads or 1, gpu, runs / "slurm"), nl=False)
            return 0
    with watched(engine, means, len(planned.jobs)) as means:
        found = run(name, budget=budget, seeds=seeds, root=runs, data=data, only=only, means=means, engine=engine)
    page = runs / f"{found.claims.name}-{budget}.html"
    write_text(page, reproduction_page(found))
    if json_:
        as_json(found.as_dict() | {"page": str(page)})
    else:
        show(reproduction_view(found))
        click.echo(f"page: {page}")
    return 1 if found.failed else 0


def typed(context: click.Context) -> list[str]:
    """The command and its arguments, as somebody typed them."""
    words = [context.info_name or ""]
    for parameter in context.command.params:
        name, value = parameter.name or "", str(context.params[parameter.name or ""])
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            words += [*([] if isinstance(parameter, click.Argument) else parameter.opts[:1]), *([] if value == "True" else [value])]
    return words


def do_one(engine: "Engine", tasks: "Sequence[Task]", index: int, means: "Means") -> int:
    """Do one task of a plan, and say what came of it."""
    from etude.views.runs import in_short

    if index >= len(tasks):
        raise UsageError(f"--index {index}: the plan has {len(tasks)} runs, counted from 0; print its script anew")
    with watched(engine, means, 1) as means, contextlib.closing(engine.run([tasks[index]], means)) as outcomes:
        outcome = next(filter(None, outcomes))
    if outcome.result is None:
        raise EtudeError(f"{outcome.job}: {outcome.why}")
    click.echo(in_short(outcome.result))
    return 0


@contextlib.contextmanager
def watched(engine: "Engine", means: "Means", jobs: int) -> "Iterator[Means]":
    """Means that show how far the runs are: a line for the one that runs here, a table for many side by side."""
    from etude.jobs.here import Here

    if isinstance(engine, Here):
        watch = watcher()
        yield replace(means, watch=lambda job, progress: watch(str(job), progress), say=say)
        return
    from etude.cli.board import Board

    board = Board(jobs)
    with board.shown():
        yield replace(means, watch=board.watch, say=board.say, ended=board.ended)
