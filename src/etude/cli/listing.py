"""`etude ls`, `etude show`, `etude cp`: what there is. None of them imports torch."""

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.render import as_json, table
from etude.errors import EtudeError, UsageError, nearest
from etude.models import registry

if TYPE_CHECKING:
    from etude.papers import Step


WIDTH = 98


@click.command()
@click.argument("pattern", default="*")
@click.option("--recipes", is_flag=True, help="List the recipes instead of the networks.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(pattern: str, recipes: bool, json_: bool) -> None:
    """List the networks whose names match PATTERN, such as "lecture_res*", or the recipes."""
    rows = _recipes(pattern) if recipes else _networks(pattern)
    if not rows:
        raise UsageError(f"nothing matches `{pattern}`; `etude ls{' --recipes' if recipes else ''}` lists all")
    if json_:
        as_json(rows)
        return
    table(list(rows[0]), [list(row.values()) for row in rows])


def _networks(pattern: str) -> list[dict[str, str]]:
    rows = (registry.row(name) for name in registry.names(pattern))
    return [{"network": row.name, "paper": row.paper, "about": row.about} for row in rows]


def _recipes(pattern: str) -> list[dict[str, str]]:
    import fnmatch

    from etude.train import recipe

    files = (recipe.read(recipe.find(name)) for name in recipe.names() if fnmatch.fnmatchcase(name, pattern))
    return [{"recipe": f.name, "network": f.model, "data": f.data, "budgets": ", ".join(f.budget)} for f in files]


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a network (what its paper says, layer by layer) or a recipe (its file)."""
    from etude.train import recipe

    if name in registry.names():
        _show_network(name)
    elif name in recipe.names() or name.endswith(".toml"):
        recipe.read(recipe.find(name))
        click.echo(recipe.find(name).read_text(encoding="utf-8"), nl=False)
    else:
        raise UsageError(f"no network or recipe `{name}`; {nearest(name, [*registry.names(), *recipe.names()])}")


def _show_network(name: str) -> None:
    from etude.papers import expand
    from etude.train import recipe
    from etude.verify.facts import facts_of

    paper, network = facts_of(name)
    steps = expand(paper, network)
    recipes = [known for known in recipe.names() if recipe.read(recipe.find(known)).model == name]
    facts = {
        "paper": f"{paper.title}, {paper.authors}, {paper.year}",
        "where": f"{network.at} ({network.kind})",
        "note": network.note,
        "departures": "; ".join(registry.row(name).departures) or "none",
        "parameters": f"{sum(step.parameters for step in steps):,}",
        "MACs": f"{sum(step.macs for step in steps):,} for one image of {'×'.join(map(str, network.input))}",
        "result": "; ".join(f"{c.last.value} {c.unit} ({c.at})" for c in paper.curves.values() if c.network == network.id),
        "train": "; ".join(f"etude train {known}" for known in recipes) or "no recipe yet",
    }
    click.echo(f"{name}: {network.title}")
    for key, text in facts.items():
        if text:
            click.echo(textwrap.fill(text, WIDTH, initial_indent=f"  {key:<12}", subsequent_indent=" " * 14, break_on_hyphens=False))
    columns = ("operator", "of", "output", "kernel", "stride", "padding", "parameters", "MACs")
    table(columns, [_cells(step) for step in steps], right=(2, 3, 4, 5, 6, 7))


def _cells(step: "Step") -> tuple[str, ...]:
    numbers = (step.kernel, step.stride, step.padding, step.parameters, step.macs)
    return (step.op, step.path, "×".join(map(str, step.shape)), *("" if number is None else f"{number:,}" for number in numbers))


@click.command()
@click.argument("recipe_name", metavar="RECIPE")
@click.argument("file", type=click.Path(path_type=Path))
def cp(recipe_name: str, file: Path) -> None:
    """Copy a recipe to FILE (ending in .toml), to edit it and train by it: etude train FILE."""
    from etude.files import whole_file
    from etude.train import recipe

    if file.suffix != ".toml":
        raise UsageError(f"{file}: a recipe's file ends in .toml")
    if file.exists():
        raise EtudeError(f"{file}: is there already; choose another name")
    with whole_file(file) as temporary:
        shutil.copyfile(recipe.find(recipe_name), temporary)
    click.echo(f"{file}: edit it, then etude train {file}")
