"""`etude runs` and `etude predict`: what was trained, and using it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etude.cli.render import as_json, percent, say, table
from etude.errors import EtudeError

if TYPE_CHECKING:
    from etude.train.run import Run


@click.group()
def runs() -> None:
    """List the runs, or show one."""


@runs.command("ls")
@click.option("--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs are.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(root: Path, json_: bool) -> None:
    """List the runs, finished and not."""
    from etude.train.store import Store

    rows = [summary(run) for run in Store(root).runs()]
    if json_:
        as_json(rows)
    elif not rows:
        click.echo(f"no runs in {root}")
    else:
        shown = [
            (row["run"], row["recipe"], row["budget"], str(row["seed"]), f"{row['epoch']:.3g}", percent(row["test_accuracy"]), row["state"])
            for row in rows
        ]
        table(("run", "recipe", "budget", "seed", "epoch", "test accuracy", "state"), shown, right=(3, 4, 5))


def summary(run: "Run") -> dict[str, Any]:
    """One line about a run; what is damaged is said in its `state`, so that one bad folder does not hide the others."""
    row: dict[str, Any] = {"run": str(run.folder), "recipe": "", "budget": "", "seed": "", "epoch": 0, "test_accuracy": float("nan")}
    try:
        job, metrics = run.job(), run.metrics()
        row |= {"recipe": job.recipe.title, "budget": job.recipe.budget, "seed": job.seed}
        if metrics:
            row |= {"epoch": metrics[-1]["epoch"], "test_accuracy": metrics[-1]["test_accuracy"]}
        return row | {"state": "finished" if run.finished else "unfinished"}
    except EtudeError as error:
        return row | {"state": f"unreadable: {error}"}


@runs.command("show")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
def show(folder: Path) -> None:
    """Show the run in the folder RUN: recipe, machine, and accuracy by epoch."""
    from etude.train.recipe import to_toml
    from etude.train.run import Run

    run = Run(folder)
    click.echo(to_toml(run.recipe()), nl=False)
    click.echo()
    for key, value in run.environment().items():
        click.echo(f"{key:<15}{value}")
    rows = [
        (f"{row['epoch']:.3g}", str(row["step"]), loss(row["train_loss"]), loss(row["test_loss"]), percent(row["test_accuracy"]))
        for row in run.metrics()
    ]
    table(("epoch", "step", "training loss", "test loss", "test accuracy"), rows, right=range(5))
    if run.finished:
        if warning := run.result().warning:
            click.echo(warning)
    else:
        click.echo(f"unfinished; continue with: etude train --resume {folder}")


def loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=3, show_default=True, type=click.IntRange(min=1), help="How many classes to print.")
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def predict(folder: Path, images: tuple[Path, ...], top: int, device: str | None, json_: bool) -> None:
    """Classify PNG or JPEG files, or every image in a folder, by the network trained in RUN."""
    from etude.train.predict import predict as run_predict

    answers = run_predict(folder, images, device=device)
    if json_:
        as_json([answer.as_dict(top) for answer in answers])
        return
    for answer in answers:
        guesses = "  ".join(f"{name} {percent(probability, 1)}" for name, probability in answer.top(top))
        click.echo(f"{answer.image}: {guesses}")
        if answer.changes:
            say(f"  {answer.image.name} was {', '.join(answer.changes)}")
