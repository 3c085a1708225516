"""`etude convert`: weights from elsewhere, in a file that a network here loads."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etude.cli.render import say
from etude.errors import EtudeError, UsageError
from etude.files import WEIGHTS
from etude.models.network import Network
from etude.targets.target import Target

if TYPE_CHECKING:
    from etude.models.weight_files import Converted, Images

SECONDS = 300  # for code that is not ours

Command = TypeVar("Command", bound=Callable[..., Any])


def about_images(command: Command) -> Command:
    """The options that say on which images weights were trained."""
    command = click.option("--classes", metavar="NAME,…", help="The names of the outputs, in order.")(command)
    command = click.option("--std", metavar="NUMBER,…", help="By what the training images were divided then.")(command)
    what = "What was subtracted from the training images, one number a channel, of pixels from 0 to 1."
    return click.option("--mean", metavar="NUMBER,…", help=what)(command)


def images_of(mean: str | None, std: str | None, classes: str | None) -> "Images":
    """What the options say. Raises UsageError for what is no number."""
    from etude.models.weight_files import Images

    return Images(numbers("--mean", mean), numbers("--std", std), tuple(classes.split(",")) if classes else ())


def numbers(option: str, text: str | None) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(","))) if text else ()
    except ValueError as error:
        raise UsageError(f"{option} {text}: expected numbers, such as {option} 0.485,0.456,0.406") from error


@click.command()
@click.argument("weights", metavar="WEIGHTS|PACKAGE:CALLABLE")
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--to", metavar="NETWORK", help="Which network the weights are for; by default found by their names and shapes.")
@click.option("--like", metavar="TARGET", help="The code that the weights belong to, such as net.py:Net.")
@about_images
def convert(weights: str, out: Path | None, to: str | None, like: str | None, **images: str | None) -> None:
    """Convert WEIGHTS that others have trained to those of a network here, as safetensors in OUT.

    WEIGHTS ends in .safetensors, .pth, .pt, .th, .tar, .bin, .pkl or .ckpt; nothing that it holds is run. The names of torchvision and
    timm, and those of the most used ResNets for CIFAR, are recognised. With --like FILE.py:NAME --to NETWORK any other network is
    carried over that computes what NETWORK does: its code runs in a process of its own, as that of `etude verify`, and both have to
    give the same on random images.

    An installed package gives its weights as 'torchvision.models:resnet18(weights="IMAGENET1K_V1")' or
    'timm:create_model("resnet18.tv_in1k", pretrained=True)'; it is imported, and downloads them itself where it has to.

    OUT is WEIGHTS ending in .etude.safetensors if not given. The weights are float32.
    """
    file = Path(weights)
    package = Target.read(weights) if file.suffix.lower() not in WEIGHTS and ":" in weights else None
    if package and (like or out is None):
        raise UsageError(f"{weights}: name the file to write; a package's weights are known by their names, without --like")
    out = out or file.parent / f"{file.stem}.etude.safetensors"
    if out.suffix != ".safetensors":
        raise UsageError(f"{out}: a converted file ends in .safetensors")
    if out.exists():
        raise EtudeError(f"{out}: is there already; choose another name")
    if like and not to:
        raise UsageError("--like: for which network? Add --to, such as --to resnet20; `etude ls` lists them")
    network = Network.read(to) if to else None  # before torch is imported and anything is read
    about = images_of(**images)
    from etude.models.weight_files import write_converted
    from etude.models.weights import in_python
    from etude.verification.carry import from_names, from_package

    if package:
        converted, how = from_package(package, network)
    else:
        converted, how = apart(file, like, network) if network and like else from_names(file, network)
    converted = replace(converted, images=about)
    write_converted(out, converted)
    count = sum(parameter.numel() for parameter in converted.module.parameters())
    click.echo(f"{out}: {converted.network.name}, {count:,} parameters; in Python:")
    click.echo("  import etude, safetensors.torch")
    click.echo(f"  model = {in_python(converted.network.name, converted.network.options)}")
    click.echo(f"  model.load_state_dict(safetensors.torch.load_file({json.dumps(str(out), ensure_ascii=False)}))")
    if how:
        say(how)


def apart(file: Path, like: str, network: Network) -> "tuple[Converted, str]":
    """Convert by the code that the weights belong to, in a process with limits."""
    from etude.models.weight_files import read_converted
    from etude.verification.apart import call

    with tempfile.TemporaryDirectory(prefix="etude-") as folder:
        out = Path(folder).resolve() / "converted.safetensors"
        arguments = {"weights": str(file.resolve()), "like": Target.read(like).whole_text(like), "to": str(network), "out": str(out)}
        how = call("etude.verification.carry:carry", arguments, seconds=SECONDS)
        converted = read_converted(out)
    assert converted is not None
    return converted, how
