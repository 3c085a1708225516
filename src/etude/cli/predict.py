"""`etude predict`: using what was trained, here or elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.convert import about_images, images_of
from etude.cli.render import as_json, percent, say, show
from etude.errors import UsageError

ENGINES = ("torch", "folded", "compiled", "onnxruntime", "openvino")
ENGINE = "What computes; by default what has it done first on this machine, as `etude bench` shows."

if TYPE_CHECKING:
    from etude.models.weight_files import Images
    from etude.train.predict import Answer, Errors, Prediction
    from etude.train.trained import TrainedNetwork


@click.command()
@click.argument("place", metavar="NAME|RUN|WEIGHTS", type=click.Path(path_type=Path))
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=3, show_default=True, type=click.IntRange(min=1), help="How many classes to print.")
@click.option("--engine", default="auto", type=click.Choice(("auto", *ENGINES)), help=ENGINE)
@click.option("--device", help="cpu, cuda or mps; by default the best there is.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--why", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html", help="Draw where in each image the answer is.")
@about_images
def predict(
    place: Path,
    images: tuple[Path, ...],
    top: int,
    engine: str,
    device: str | None,
    json_: bool,
    why: Path | None,
    **about: str | None,
) -> None:
    """Classify PNG or JPEG files, or every image in a folder, by the network trained in RUN, or by one with WEIGHTS from elsewhere.

    NAME is a network that Etude brings trained (`etude ls --weights`). A folder with a folder for each class gives the error rate. WEIGHTS
    is a file that `etude convert` has written, or one that it recognises; --mean, --std and --classes say what that file does not know of
    its images. --why hides one part of an image after the other and draws where the answer is lost: on this the network has looked.
    """
    from etude.data.folder import class_folders, holds_classes
    from etude.train.predict import error_rate, every_file
    from etude.train.predict import predict as run_predict

    folder = images[0]
    folders = class_folders(folder) if len(images) == 1 and folder.is_dir() and holds_classes(folder) else {}
    trained = trained_network(place, images_of(**about), tuple(folders))
    if trained.note:
        say(f"{place}: {trained.note}")
    if why:
        from etude.train.predict import reasons
        from etude.views.why import why_view

        if folders:
            raise UsageError(f"{folder}: --why is for some images, or a folder of them; name one of {', '.join(folders)}")
        show(why_view(str(trained.network), reasons(trained, images, device=device)), why)
    files = [file for each in folders.values() for file in each] if folders else list(every_file(images))
    answer = computing(trained, engine, device, len(files))
    if folders:
        show_errors(folder, error_rate(trained, folders, device=device, answer=answer), json_)
    else:
        show_predictions(run_predict(trained, files, device=device, answer=answer), top, json_)
    if (by := getattr(answer, "engine", engine)) != engine and by != "torch":
        say(f"computed by {by}, which was fastest here; --engine torch computes by torch alone")


def computing(trained: "TrainedNetwork", engine: str, device: str | None, images: int) -> "Answer | None":
    """What gives the logits of that many images; None for the network itself, on its device. Raises UsageError, EtudeError."""
    from etude.train import machine
    from etude.train.predict import BATCH

    elsewhere = machine.choose_device(device).type != "cpu"
    if engine == "torch" or (engine == "auto" and elsewhere):
        return None
    if elsewhere:
        raise UsageError(f"--engine {engine} computes on the processor; add --device cpu")
    from etude.export.auto import Auto
    from etude.export.engines import by_engine

    return Auto(trained, images, BATCH) if engine == "auto" else by_engine(engine, trained, min(images, BATCH))


def trained_network(place: Path, about: "Images", folders: tuple[str, ...]) -> "TrainedNetwork":
    """What a run has trained, or the network of a file of weights; where nothing names its outputs, they are those of the folders."""
    from etude.models.weight_files import READERS
    from etude.train.trained import load, with_images
    from etude.verification.carry import weights_in

    if place.is_dir() or place.suffix.lower() not in READERS:
        if about.mean or about.std or about.classes:
            raise UsageError(f"{place}: --mean, --std and --classes are for a file of weights; a run knows its images")
        return load(place)
    converted, how = weights_in(place)
    if how:
        say(f"{place.name}: {how}")
    known = converted.images
    classes = about.classes or known.classes or folders
    if classes is folders and folders:
        say(f"{place.name} names no classes: its outputs are taken to be {', '.join(folders)}, in that order")
    about = replace(about, mean=about.mean or known.mean, std=about.std or known.std, classes=classes)
    return with_images(replace(converted, images=about), place)


def show_predictions(answers: list["Prediction"], top: int, json_: bool) -> None:
    from etude.data.picture import shown

    if json_:
        as_json([answer.as_dict(top) for answer in answers])
        return
    for answer in answers:
        guesses = "  ".join(f"{name} {percent(probability, 1)}" for name, probability in answer.top(top))
        click.echo(f"{shown(answer.image)}: {guesses}")
        if answer.changes:
            say(f"  {shown(answer.image.name)} was {', '.join(answer.changes)}")


def show_errors(folder: Path, errors: "Errors", json_: bool) -> None:
    if json_:
        as_json({"folder": str(folder), "images": errors.images, "wrong": errors.wrong, "error": errors.rate})
        return
    click.echo(f"{folder}: {errors.wrong:,} of {errors.images:,} images wrong, {percent(errors.rate)} error")
    for change, count in errors.changes.items():
        say(f"  {count:,} images were {change}")
