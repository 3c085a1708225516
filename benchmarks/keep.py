"""Keeps what finished runs have trained among the weights that Etude brings, in src/etude/train/weights.

    python benchmarks/keep.py RUN…       each as NETWORK.RECIPE, in place of one that is there; a second or two a run

A kept run has the weights of its checkpoint as they are, and its recipe, environment, curve and result. Optimisers and random state are
left out, and of its data's place only the last name stays. It is tested once more on its data, which have to be where the run had them.
"""

import argparse
import dataclasses
import re
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes

from etude.errors import EtudeError
from etude.train import checkpoint, kept, trained
from etude.train.job import Job, Means
from etude.train.loop import load_data
from etude.train.run import Run, RunResult

BATCH = 500
NOISE = 1e-3  # of the test images, which may fall to the other side where images are normalised in another order of operations


def keep(run: Run, root: Path = kept.FOLDER) -> Run:
    """The kept copy of a finished run, in place of an earlier one once it is whole and has been tested.

    Raises EtudeError for a run that has not ended or has diverged, and for one whose result is not that of its last weights.
    """
    result = run.result()
    if result.recipe.result != "last":
        raise EtudeError(
            f"{run.folder}: its result is that of an earlier epoch, whose weights are gone; choose a run that reports the last"
        )
    if result.diverged is not None:
        raise EtudeError(f"{run.folder}: it has diverged; choose a run that has not")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".kept-") as folder:
        copy, place = copied(run, Path(folder) / result.recipe.title), root / result.recipe.title
        wrong(copy.folder, result)  # which raises where it is not what the run says
        if place.exists():
            place.rename(Path(folder) / "earlier")
        copy.folder.rename(place)
    return Run(place)


def copied(run: Run, folder: Path) -> Run:
    """What is kept of a run, in a new folder."""
    result, environment, copy = run.result(), run.environment(), Run(folder)
    copy.folder.mkdir()
    recipe = dataclasses.replace(result.recipe, data=Path(result.recipe.data).name)
    copy.start(Job(recipe, result.seed), environment | {"images": re.sub(r"/\S*/", "", environment["images"])})
    tensors, progress = checkpoint.read(run.checkpoint)
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    copy.checkpoint.write_bytes(to_bytes(weights, metadata=checkpoint.metadata(progress)))
    for file in ("metrics.jsonl", "result.json"):
        shutil.copyfile(run.folder / file, copy.folder / file)
    return copy


@torch.no_grad()
def wrong(place: Path, result: RunResult) -> int:
    """How many test images of the run's data what is kept there gets wrong. Raises EtudeError where the run itself says another number."""
    network = trained.load(place)
    test = load_data(result.recipe, Means()).test
    answers = torch.cat([network(images).argmax(1) for images in test.images.split(BATCH)])
    found, said = int((answers != test.labels).sum()), round((1 - result.test_accuracy) * result.test_images)
    if abs(found - said) > NOISE * len(test):
        raise EtudeError(f"{place}: {found} of {len(test)} images wrong, the run says {said}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    for folder in parser.parse_args().runs:
        run = Run(folder)
        result, copy = run.result(), keep(run)
        errors = round((1 - result.test_accuracy) * result.test_images)
        print(f"{copy.folder}: {errors} of {result.test_images:,} images wrong, as the run says")


if __name__ == "__main__":
    try:
        main()
    except EtudeError as error:
        sys.exit(f"error: {error}")
