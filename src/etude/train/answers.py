"""What a trained network says of its test images, and what can be counted of that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from etude.data import catalog, stream
from etude.data.batches import Ask, Batches, whole
from etude.data.dataset import Split
from etude.data.sources import is_cached
from etude.data.stream import Stream, Streamed
from etude.errors import EtudeError
from etude.train.job import Means
from etude.train.loop import images_of
from etude.train.run import Run
from etude.train.trained import TrainedNetwork, load

BINS = 10  # of how sure a network is, all equally wide


@dataclass(frozen=True, eq=False)
class Answers:
    """Images whose classes are known, and what a network says of them.

    classes        the names of its outputs
    labels         N int64
    probabilities  N×classes, on the CPU
    name           of an image, by its place
    picture        the image at a place, C×H×W uint8, as the network saw it
    """

    classes: tuple[str, ...]
    labels: Tensor
    probabilities: Tensor
    name: Callable[[int], str]
    picture: Callable[[int], Tensor]

    @property
    def said(self) -> Tensor:
        return self.probabilities.argmax(1)

    @property
    def right(self) -> Tensor:
        return self.said == self.labels

    def counts(self) -> list[list[int]]:
        """How often which class was taken for which: a row for each class that an image has."""
        size = len(self.classes)
        return torch.bincount(self.labels * size + self.said, minlength=size**2).view(size, size).tolist()

    def bins(self) -> list[tuple[float, float, int]]:
        """How sure it is on average, how often it is right, and of how many images, for those of which it is equally sure."""
        sure, right = self.probabilities.max(1).values.double(), self.right.double()
        which = (sure * BINS).long().clamp(max=BINS - 1)
        found = []
        for index in range(BINS):
            if count := int((own := which == index).sum()):
                found.append((float(sure[own].mean()), float(right[own].mean()), count))
        return found

    def calibration_error(self) -> float:
        """By how much it is surer than right, or less, on average over the bins (ECE)."""
        return sum(count * abs(sure - right) for sure, right, count in self.bins()) / len(self.labels)

    def surest_mistakes(self, most: int) -> list[int]:
        """The images about which it is wrong, the surest first."""
        wrong = (~self.right).nonzero()[:, 0]
        return wrong[self.probabilities[wrong].max(1).values.argsort(descending=True, stable=True)][:most].tolist()


def of_run(run: Run, say: Callable[[str], None]) -> Answers:
    """A finished run's network on its test images.

    Raises  EtudeError where these are not here, or are no longer what they were
    """
    recipe, trained = run.recipe(), load(run.folder)
    if recipe.data in catalog.names():
        if not is_cached(recipe.data):
            raise EtudeError(f"{recipe.data} is not here (etude data get {recipe.data})")
    elif not Path(recipe.data).is_dir():
        raise EtudeError(f"{recipe.data} is not there any more")
    dataset = images_of(recipe, Means(say=say))
    if dataset.digest() != run.environment().get("data", dataset.digest()):
        raise EtudeError(f"the images of {recipe.data} are no longer those that it was trained and tested on")
    if isinstance(dataset, Streamed):
        with stream.guarded(lambda: f"then once more: etude runs show {run.folder}"):
            return of_files(trained, dataset)
    return of_images(trained, dataset.test)


@torch.no_grad()
def of_images(trained: TrainedNetwork, images: Split) -> Answers:
    found = [trained(some).softmax(1) for some in images.images.split(Batches.at_once)]

    def name(at: int) -> str:
        return images.names[at] if images.names else f"test image {at}"

    return Answers(trained.classes, images.labels, torch.cat(found), name, images.images.__getitem__)


@torch.no_grad()
def of_files(trained: TrainedNetwork, images: Streamed) -> Answers:
    """The same of a stream, by the middle of every image, none of which is kept."""
    viewer, every = replace(images.viewer, files=images.test), torch.arange(len(images.test))

    def seen(some: list[Tensor], workers: int) -> Iterator[Tensor]:
        return (batch.pixels.permute(0, 3, 1, 2) for batch in viewer.seen((Ask(at, whole(at)) for at in some), workers))

    found = [trained(batch).softmax(1) for batch in seen([*every.split(Stream.at_once)], images.workers)]

    def picture(at: int) -> Tensor:
        ((image,),) = seen([every[at : at + 1]], 0)
        return image

    return Answers(trained.classes, torch.from_numpy(images.test.labels), torch.cat(found), images.test.name, picture)
