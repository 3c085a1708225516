"""`etude export`: what was trained, in a file that other programs run."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.convert import about_images, images_of
from etude.cli.predict import trained_network
from etude.cli.render import as_json, say
from etude.errors import UsageError
from etude.files import WEIGHTS
from etude.targets.target import Target

if TYPE_CHECKING:
    from etude.export.card import Card

FORMATS = ("onnx", "pt2", "safetensors", "hub")


@click.command()
@click.argument("place", metavar="RUN|NAME|WEIGHTS")
@click.option(
    "--to", required=True, type=click.Choice(FORMATS), help="pt2 is torch.export's; hub is a folder as the Hugging Face Hub has it."
)
@click.option("--out", type=click.Path(path_type=Path), help="The file, or for the Hub the folder; by default named like the network.")
@click.option("--normalise", is_flag=True, help="The graph takes pixels from 0 to 1 and normalises them itself (onnx, pt2).")
@click.option("--licence", default="", metavar="ID", help="Under which the weights may be used, as the Hub writes it, such as mit.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@about_images
def export(place: str, to: str, out: Path | None, normalise: bool, licence: str, json_: bool, **about: str | None) -> None:
    """Write what a run has trained as ONNX, for torch.export, as safetensors, or as a folder for the Hub.

    RUN is the folder of a run, NAME what Etude brings trained (`etude ls --weights`) or a network with random weights (`etude ls`),
    WEIGHTS a file that `etude convert` has written or recognises. What was written is read again and has to compute the same, on random
    and on real images, one at a time and several; otherwise nothing is left. Classes, normalisation, licence and the record of the run are
    in the file.
    """
    card = card_of(place, about)
    from etude.export.formats import FORMATS as KNOWN
    from etude.export.formats import export as run_export

    card = replace(card, licence=licence or card.licence, normalises=normalise)
    done = run_export(card, to, out or Path(f"{card.title}{KNOWN[to].ending}"))
    if json_:
        as_json({"place": str(done.place), "format": done.title, "note": done.note, **card.metadata(), "compared": done.compared})
        return
    click.echo(f"{done.place}: {card.network}, {done.title}, {done.note}")
    if KNOWN[to].graph:
        say(f"input {card.pixels}")
    say(f"weights {card.weights}")
    say(str(done.compared))


def card_of(place: str, about: dict[str, str | None]) -> "Card":
    """What `place` names, with what belongs to it. Raises as `etude predict` does, and UsageError for what is no network here."""
    target = None if place.lower().endswith(WEIGHTS) else Target.read(place)
    if target and target.kind not in ("run", "network"):
        raise UsageError(f"{place}: expected a run, a network (etude ls, etude ls --weights) or a file of weights")
    if target and any(about.values()):
        raise UsageError(f"{place}: --mean, --std and --classes are for a file of weights; a run knows its images")
    from etude.export.card import card_of_file, card_of_network, card_of_run
    from etude.train.trained import load

    if target is None:
        return card_of_file(trained_network(Path(place), images_of(**about), ()), Path(place))
    return card_of_run(load(place), place) if target.kind == "run" else card_of_network(target.network)
