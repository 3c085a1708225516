"""`etude ls`, `etude cp`: what there is. Neither imports torch."""

from pathlib import Path

import click

from etude.cli.render import as_json, table
from etude.errors import EtudeError, UsageError
from etude.models import registry


@click.command()
@click.argument("pattern", default="*")
@click.option("--recipes", is_flag=True, help="List the recipes instead of the networks.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(pattern: str, recipes: bool, json_: bool) -> None:
    """List the networks whose names match PATTERN, such as "resnet*", those of a paper, such as densenet, or the recipes."""
    rows = _recipes(pattern) if recipes else _networks(pattern)
    if not rows:
        raise UsageError(f"nothing matches `{pattern}`; `etude ls{' --recipes' if recipes else ''}` lists all")
    if json_:
        as_json(rows)
        return
    table(list(rows[0]), [list(row.values()) for row in rows])


def _networks(pattern: str) -> list[dict[str, str]]:
    rows = (registry.row(name) for name in registry.names(pattern))
    return [{"network": row.name, "paper": row.paper, "input": "×".join(map(str, row.input)), "about": row.about} for row in rows]


def _recipes(pattern: str) -> list[dict[str, str]]:
    import fnmatch

    from etude.train import recipe

    files = [recipe.read(recipe.FOLDER / f"{name}.toml") for name in recipe.files()]
    rows = [
        {"recipe": f"{model}.{file.name}", "network": model, "data": file.data, "budgets": ", ".join(file.budget)}
        for file in files
        for model in file.models
    ]
    return [row for row in rows if fnmatch.fnmatchcase(row["recipe"], pattern)]


@click.command()
@click.argument("recipe_name", metavar="RECIPE")
@click.argument("file", type=click.Path(path_type=Path))
def cp(recipe_name: str, file: Path) -> None:
    """Copy a recipe to FILE (ending in .toml), to edit it and train by it: etude train FILE."""
    from etude.files import write_text
    from etude.train import recipe

    if file.suffix != ".toml":
        raise UsageError(f"{file}: a recipe's file ends in .toml")
    if file.exists():
        raise EtudeError(f"{file}: is there already; choose another name")
    write_text(file, recipe.copied(recipe_name))
    click.echo(f"{file}: edit it, then etude train {file}")
