"""`etude show`: what a network's paper says of it, or a recipe. Imports torch only to measure."""

import tomllib
from pathlib import Path

import click

from etude.cli.render import as_json, faces
from etude.cli.render import show as show_view
from etude.errors import UsageError, nearest
from etude.models import registry
from etude.models.network import Network
from etude.values import read_settings


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--measure", is_flag=True, help="Build the network and count too; imports torch.")
@click.option("--facts", is_flag=True, help="Every fact of its paper: recipe, figures, what others copied wrongly.")
@faces
def show(name: str, changes: tuple[str, ...], measure: bool, facts: bool, html: Path | None, json_: bool) -> None:
    """Show a network (its paper, claims, departures, counts, published results, layers) or a recipe (its file)."""
    from etude.train import recipe

    if name in registry.names() or (name.endswith(")") and name.partition("(")[0] in registry.names()):
        from etude.views.card import card_view
        from etude.views.facts import facts_view

        network = Network.read(name, **read_settings(changes))
        if facts and (network.options or changes or measure):
            raise UsageError("--facts shows the facts of the whole paper; leave out --set and --measure")
        show_view(facts_view(name) if facts else card_view(network.name, network.options, measure), html, json_)
    elif name.endswith(".toml") or name.rpartition(".")[2] in (*recipe.files(), *recipe.INCOMPLETE):
        if html:
            raise UsageError(f"{name}: a recipe has no page; `etude show {name}` prints its file")
        if changes or measure or facts:
            raise UsageError(f"{name}: --set, --measure and --facts are for a network; `etude show {name}` prints the file of a recipe")
        text = recipe.copied(name)
        if json_:
            as_json(tomllib.loads(text))
        else:
            click.echo(text, nl=False)
    else:
        raise UsageError(f"no network or recipe `{name}`; {nearest(name, [*registry.names(), *recipe.names()])}")
