"""What is trained on in place of any data set where seconds count: a few small images, and the papers' networks made small for them."""

from typing import Any

import torch

from etude.data.dataset import Dataset, Split
from etude.models.network import Network


def dataset() -> Dataset:
    """Three classes that differ in their colour, 90 images for training and 30 for test."""
    random = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        labels = torch.arange(count) % 3
        images = torch.randint(0, 120, (count, 3, 8, 8), generator=random)
        images[torch.arange(count), labels] += 100
        return Split(images.to(torch.uint8), labels)

    return Dataset("tiny", ("red", "green", "blue"), split(90), split(30), "made here")


def shallow(network: Network) -> Network:
    """A CIFAR network with one unit a stage, two where it is one of the deeper ones, and of its options all others."""
    options = {**network.row.options, **network.options}
    more: dict[str, Any] = {"depth": 10, "growth_rate": 4} if "growth_rate" in options else {"depth": 14 if options["depth"] > 20 else 8}
    if options.get("bottleneck") and "growth_rate" not in options:
        more = {"depth": 11}
    return Network(network.name, {**network.options, **more})
