"""What a run has trained, taken from its folder: `etude.load(RUN)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from etude.data.batches import per_channel
from etude.models.network import Network
from etude.train import checkpoint
from etude.train.run import Run


class TrainedNetwork(nn.Module):
    """A trained network with what belongs to it; called on images it normalises them as in training and gives the logits.

    module     the network itself, which takes normalised images
    network    its name and options
    classes    the names of its outputs, in order
    mean, std  of the training images, one a channel, of pixels from 0 to 1; the mean may be an image
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, module: nn.Module, classes: tuple[str, ...], mean: Sequence[Any], std: Sequence[float]) -> None:
        super().__init__()
        self.network, self.module, self.classes = network, module, classes
        self.register_buffer("mean", per_channel(torch.tensor(mean))[0].float())
        self.register_buffer("std", per_channel(std)[0].float())

    @property
    def image(self) -> tuple[int, int, int]:
        """(channels, height, width) of the images that it takes."""
        return self.network.input

    def forward(self, images: Tensor) -> Tensor:
        """N×channels×height×width with pixels from 0 to 1, or bytes, to N×classes logits."""
        pixels = images.to(self.mean.dtype) / 255 if images.dtype == torch.uint8 else images
        logits: Tensor = self.module((pixels - self.mean) / self.std.where(self.std > 0, 1))
        return logits


def load(folder: Path | str) -> TrainedNetwork:
    """The network of the run in `folder` with the weights of its last checkpoint, in eval mode, on the CPU.

    Raises  EtudeError for a folder that is no run, or whose checkpoint is missing or damaged
    """
    run = Run(Path(folder))
    network, environment = run.recipe().model, run.environment()
    named = environment["classes"]
    count = network.options.get("classes", len(named))
    module = network.build(classes=count)
    checkpoint.load_model(run.checkpoint, module)
    classes = (*named, *(f"output {index}" for index in range(len(named), count)))  # which no image of the data belongs to
    return TrainedNetwork(network, module, classes, environment["mean"], environment["std"]).eval()
