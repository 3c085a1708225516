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
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes

from etude import data
from etude.errors import EtudeError
from etude.files import whole_file
from etude.train import checkpoint, kept, trained
from etude.train.job import Job
from etude.train.run import Run, RunResult

BATCH = 500
NOISE = 1e-3  # of the test images, which may fall to the other side where images are normalised in another order of operations


def keep(run: Run, root: Path = kept.FOLDER) -> Run:
    """The kept copy of a finished run. Raises EtudeError for one that has not ended, or whose result is not that of its last weights."""
    result, environment = run.result(), run.environment()
    if result.recipe.result != "last":
        raise EtudeError(
            f"{run.folder}: its result is that of an earlier epoch, whose weights are gone; choose a run that reports the last"
        )
    copy = Run(root / result.recipe.title)
    copy.folder.mkdir(parents=True, exist_ok=True)
    (copy.folder / "result.json").unlink(missing_ok=True)  # whose presence says that all is there
    recipe = dataclasses.replace(result.recipe, data=Path(result.recipe.data).name)
    copy.start(Job(recipe, result.seed), environment | {"images": re.sub(r"/\S*/", "", environment["images"])})
    tensors, progress = checkpoint.read(run.checkpoint)
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    with whole_file(copy.checkpoint) as temporary:
        temporary.write_bytes(to_bytes(weights, metadata=checkpoint.metadata(progress)))
    for file in ("metrics.jsonl", "result.json"):
        shutil.copyfile(run.folder / file, copy.folder / file)
    return copy


@torch.no_grad()
def wrong(place: Path, result: RunResult) -> int:
    """How many test images of the run's data what is kept there gets wrong. Raises EtudeError where the run itself says another number."""
    network = trained.load(place)
    test = data.load(result.recipe.data, image=network.image).test
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
        copy = keep(run)
        print(f"{copy.folder}: {wrong(copy.folder, run.result())} of {run.result().test_images:,} images wrong")


if __name__ == "__main__":
    try:
        main()
    except EtudeError as error:
        sys.exit(f"error: {error}")
