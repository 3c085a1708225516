"""`etude runs` and `etude predict`: what was trained, and using it."""

from pathlib import Path

import click

from etude.cli.render import as_json, faces, percent, say
from etude.cli.render import show as show_view


@click.group()
def runs() -> None:
    """List the runs, or show one."""


@runs.command("ls")
@click.option("--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where the runs are.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(root: Path, json_: bool) -> None:
    """List the runs, finished and not."""
    from etude.train.store import Store
    from etude.views.runs import runs_view

    show_view(runs_view(Store(root)), json_=json_)


@runs.command("show")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@faces
def show(folder: Path, html: Path | None, json_: bool) -> None:
    """Show the run in the folder RUN: recipe, machine, and accuracy by epoch."""
    from etude.train.run import Run
    from etude.views.runs import run_view

    show_view(run_view(Run(folder)), html, json_)


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
