"""`etude runs`: what was trained."""

from pathlib import Path

import click

from etude.cli.render import faces, say
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


@runs.command("show", short_help="Show the run in the folder RUN, and what it gets wrong.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@faces
def show(folder: Path, html: Path | None, json_: bool) -> None:
    """Show the run in the folder RUN: recipe, machine, accuracy by epoch; of one that has ended also what it gets wrong.

    For that it is asked about its test images, where they are here: accuracy by class with intervals, which class is taken for which, how
    sure it is and how often right, and the images about which it is most surely wrong.
    """
    from etude.train import kept
    from etude.train.run import Run
    from etude.views.runs import run_view

    run = Run(kept.place_of(folder))
    view = run_view(run)
    if run.finished:
        from etude.views.mistakes import with_mistakes

        view = with_mistakes(view, run, say)
    show_view(view, html, json_)
