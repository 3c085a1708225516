"""`etude data`: the data sets, where their bytes come from, and what is in the cache."""

from pathlib import Path

import click

from etude.cli.render import say, show
from etude.data import catalog
from etude.views.listings import data_view
from etude.wording import size


@click.group()
def data() -> None:
    """List the data sets, fetch one, or see what is known of it."""


@data.command("ls")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(json_: bool) -> None:
    """List the data sets."""
    show(data_view(), json_=json_)


@data.command("get")
@click.argument("name")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files.")
def get(name: str, data_dir: Path | None) -> None:
    """Fetch the data set NAME into the cache, and check it."""
    from etude.data.sources import fetch

    row = catalog.row(name)
    if not row.files:
        click.echo(f"{name} is drawn from a seed when it is needed; there is nothing to fetch")
        return
    click.echo(f"{name}: complete and checked in {fetch(name, data_dir, say)}")


@data.command("info", short_help="Show what is known of the data set NAME.")
@click.argument("name")
def info(name: str) -> None:
    """Show what is known of the data set NAME; mean and spread are computed from it when it is here."""
    from etude.data.sources import cache_folder, is_cached

    row = catalog.row(name)
    facts = {
        "title": row.title,
        "images": f"{size(row.image)}, {row.train:,} for training, {row.test:,} for testing",
        "classes": ", ".join(row.classes),
        "licence": row.licence,
    }
    for key, value in facts.items():
        click.echo(f"{key:<9}{value}")
    for file in row.files:
        size_of = f"{file.size:,} bytes, " if file.size else ""
        click.echo(f"file     {file.name}, {size_of}{'MD5' if file.algorithm == 'md5' else 'SHA-256'} {file.digest}")
    here = is_cached(name)
    if row.files:
        click.echo(f"here     {cache_folder() / name if here else f'no; etude data get {name}'}")
    if here:
        from etude.data import load

        mean, std = load(name, image=row.image).statistics()
        click.echo(f"mean     {', '.join(f'{value:.4f}' for value in mean)} (computed now, pixels from 0 to 1)")
        click.echo(f"std      {', '.join(f'{value:.4f}' for value in std)}")
