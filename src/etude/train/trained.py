"""What was trained: `etude.load("lecture_residual.lecture")`, `etude.load(RUN)`, or by others, `etude.load("converted.safetensors")`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from etude.data.batches import per_channel
from etude.errors import EtudeError
from etude.models.network import Network
from etude.models.weight_files import Converted, read_converted
from etude.train import checkpoint, kept
from etude.train.run import Run


class TrainedNetwork(nn.Module):
    """A trained network with what belongs to it; called on images it normalises them as in training and gives the logits.

    module     the network itself, which takes normalised images
    network    its name and options
    classes    the names of its outputs, in order
    mean, std  of the training images, one a channel, of pixels from 0 to 1; the mean may be an image
    note       that these were a known set in another encoding, in words; "" where they were not
    image      (channels, height, width) of the images that it takes
    shorter    where it was tested on the middle of images: to how many pixels their shorter side was scaled before so large a square was
               cut out; None where they were scaled to that whatever their proportions
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Network,
        module: nn.Module,
        classes: tuple[str, ...],
        mean: Sequence[Any],
        std: Sequence[float],
        note: str = "",
        image: tuple[int, int, int] | None = None,
        shorter: int | None = None,
    ) -> None:
        super().__init__()
        self.network, self.module, self.classes, self.note = network, module, classes, note
        self.image, self.shorter = image or network.input, shorter
        self.register_buffer("mean", per_channel(torch.tensor(mean))[0].float())
        self.register_buffer("std", per_channel(std)[0].float())

    @property
    def dark(self) -> bool:
        """Whether its training images are dark on the whole, as white digits on black are."""
        return self.mean.mean().item() < 0.5

    def forward(self, images: Tensor) -> Tensor:
        """N×channels×height×width with pixels from 0 to 1, or bytes, to N×classes logits."""
        logits: Tensor = self.module(self.normalised(images))
        return logits

    def normalised(self, images: Tensor) -> Tensor:
        """The same images as `module` takes them."""
        pixels = images.to(self.mean.dtype) / 255 if images.dtype == torch.uint8 else images
        return (pixels - self.mean) / self.std.where(self.std > 0, 1)


def load(place: Path | str) -> TrainedNetwork:
    """The network that Etude brings under that name, of the run in a folder with its last weights, or of a converted file.

    In eval mode, on the CPU.

    Raises  EtudeError for a folder that is no run, whose checkpoint is missing or damaged, and for a file that `etude convert` has
            not written, or that does not know its images
    """
    place = kept.place_of(place)
    if place.is_file():
        converted = read_converted(place)
        if converted is None:
            raise EtudeError(f"{place}: was not written by `etude convert`, which takes the weights of others")
        return with_images(converted, place)
    run = Run(place)
    recipe, environment = run.recipe(), run.environment()
    network = recipe.model
    named = environment["classes"]
    count = network.options.get("classes", len(named))
    module = network.build(classes=count)
    checkpoint.load_model(run.checkpoint, module)
    classes = (*named, *(f"output {index}" for index in range(len(named), count)))  # which no image of the data belongs to
    note = f"trained on {environment['images']}" if environment.get("reencoded") else ""
    shorter = recipe.views.test[0] if recipe.views else None
    return TrainedNetwork(network, module, classes, environment["mean"], environment["std"], note, recipe.tested, shorter).eval()


def with_images(converted: Converted, file: Path) -> TrainedNetwork:
    """A converted network with what belongs to it. Raises EtudeError where that is not known."""
    images = converted.images
    if not images.mean or not images.std:
        example = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
        raise EtudeError(
            f"{file}: how were its training images normalised? Say so to `etude predict`, or to `etude convert`, which keeps it: {example}"
        )
    classes = images.classes or tuple(f"output {index}" for index in range(converted.outputs))
    image, shorter = images.image or None, images.shorter
    return TrainedNetwork(converted.network, converted.module, classes, images.mean, images.std, "", image, shorter).eval()
