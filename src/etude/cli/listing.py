"""`etude ls`, `etude cp`: what there is. Neither imports torch."""

from pathlib import Path

import click

from etude.cli.render import show
from etude.errors import EtudeError, UsageError
from etude.views.listings import networks_view, recipes_view, weights_view


@click.command()
@click.argument("pattern", default="*")
@click.option("--recipes", is_flag=True, help="List the recipes instead of the networks.")
@click.option("--weights", is_flag=True, help="List the networks that are here trained, by their recipes.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def ls(pattern: str, recipes: bool, weights: bool, json_: bool) -> None:
    """List the networks whose names match PATTERN, such as "resnet*", those of a paper, such as densenet; the recipes, or the weights."""
    if recipes and weights:
        raise UsageError("--recipes and --weights are two lists; leave one out")
    view = recipes_view if recipes else weights_view if weights else networks_view
    show(view(pattern), json_=json_)


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
