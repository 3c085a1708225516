"""`etude audit`: popular implementations held against their papers. This process never imports torch."""

from pathlib import Path

import click

from etude.audit import implementations
from etude.cli.render import faces, say, show
from etude.views.audit import audit_view, implementations_view


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--list", "list_", is_flag=True, help="Show the rows, and judge nothing.")
@click.option("--rows", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.toml", help="Your own list in place of ours.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Where all is kept; else in the cache.")
@click.option("--again", is_flag=True, help="Judge also what has been judged before.")
@faces
def audit(
    patterns: tuple[str, ...], list_: bool, rows: Path | None, into: Path | None, again: bool, html: Path | None, json_: bool
) -> None:
    """Hold the implementations that the world uses against their papers.

    Without a PATTERN all of them, which takes an hour and goes on where it was stopped; else those whose package, repository, target or
    network matches, such as timm, "pytorchcv*" or resnet50. Every package is installed into an environment of its own, every
    repository fetched at one revision, and every row judged as by etude verify.
    """
    from etude.audit.audit import audit as run
    from etude.data.sources import cache_folder

    sources = implementations.matching(implementations.read(rows or implementations.FILE), patterns)
    if list_:
        show(implementations_view(sources, patterns), html, json_)
    else:
        show(audit_view(run(sources, into or cache_folder() / "audit", say, again=again), patterns), html, json_)
