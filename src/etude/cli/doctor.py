"""`etude doctor`: why a loaded network is wrong; or alone, what there is on this machine."""

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.convert import about_images, images_of
from etude.cli.render import faces, given, say
from etude.cli.render import show as show_view
from etude.errors import UsageError
from etude.values import read_shape

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from etude.doctor.asking import Patient


@click.command()
@click.argument("model", metavar="[RUN|WEIGHTS|FILE.py:CALLABLE|NAME]", required=False)
@click.option("--data", metavar="NAME|FOLDER", help="Images whose classes are known: a name of `etude data ls`, or a folder.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your folder with the official files of the data set.")
@click.option("--input", "image", metavar="CxHxW", help="Channels, height and width of the images that it takes.")
@about_images
@faces
def doctor(
    model: str | None, data: str | None, data_dir: Path | None, image: str | None, html: Path | None, json_: bool, **about: str | None
) -> None:
    """Find out why a network that was loaded is at 10, 20 or 81 %; alone, show what there is on this machine, for a bug report.

    Tried are: left in training mode, normalised wrongly or twice, channels in another order, classes in another order, another image size.
    Seen are weights that were not loaded, and test images that are training images too. --mean and --std say how you normalise now, of
    pixels from 0 to 1; a run knows. FILE.py:CALLABLE is what makes and loads the network, as you do; it runs here.
    """
    from etude.views.doctor import diagnosis_view, here_view

    if model is None:
        if data or data_dir or image or any(about.values()):
            raise UsageError("whose images? etude doctor MODEL --data NAME|FOLDER; alone it shows this machine")
        from etude.doctor.here import here

        show_view(here_view(here()), html, json_)
        return
    if data is None:
        raise UsageError(f"{model}: on which images? --data NAME|FOLDER, whose classes are known")
    from etude.doctor.asking import Questions
    from etude.doctor.loaded import Examination

    with patient(model, image, **about) as found:
        diagnosis = Examination(found, Questions(data, found.image[0], data_dir, found.split)).diagnosis(say)
    command = shlex.join(["etude", "doctor", model, *given(data=data, data_dir=data_dir, input=image, **about)])
    show_view(diagnosis_view(diagnosis, command), html, json_)


def patient(model: str, image: str | None, **about: str | None) -> "AbstractContextManager[Patient]":
    """What is to be examined: a run or weights, which know their images, or a network that somebody's code makes."""
    from etude.doctor.asking import made, of_run, trained_here
    from etude.files import WEIGHTS
    from etude.targets.target import Target

    said, shape = images_of(**about), read_shape(image) if image else None
    if Path(model).suffix.lower() in WEIGHTS:
        from etude.cli.predict import trained_network

        return nullcontext(trained_here(model, trained_network(Path(model), said, ()), shape))
    target = Target.read(model)
    if target.kind == "run":
        return nullcontext(of_run(model, said, shape))
    return made(target, said, shape)
