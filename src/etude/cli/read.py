"""`etude read`: a network's source beside what its paper says of it."""

from pathlib import Path

import click

from etude.cli.render import faces
from etude.cli.render import show as show_view
from etude.models.network import Network
from etude.values import read_settings


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@faces
def read(name: str, changes: tuple[str, ...], html: Path | None, json_: bool) -> None:
    """Read the source of a network, with what its paper says of every part and the shapes that flow through it."""
    from etude.views.reading import reading_view

    network = Network.read(name, **read_settings(changes))
    show_view(reading_view(network.name, network.options), html, json_)
