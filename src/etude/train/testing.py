"""Testing a network: by one part of every image, or by ten, whose probabilities are averaged as AlexNet's are."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.data.batches import Ask, Source, whole
from etude.train.world import World

TEN = 10  # crops: corners and middle, and the same mirrored
AMONG = 5  # of the likeliest classes, in which the right one counts


class Tested(NamedTuple):
    """Mean cross-entropy; the share of images whose class is the likeliest, and that of those where it is one of the five likeliest."""

    loss: float
    accuracy: float
    top5_accuracy: float


@torch.no_grad()
def test(model: nn.Module, images: Source, world: World, crops: int = 1) -> Tested:
    """Of a network in eval mode, over all images, of which each process takes its part."""
    sums = torch.zeros(3, dtype=torch.float64)
    part = torch.arange(len(images))[world.part(len(images))]
    asks = (Ask(index, whole(index), crops=crops) for index in part.split(images.at_once // crops) if len(index))
    for x, y, _ in images.cuts(asks):
        logits = together(model(x), crops)
        likeliest = logits.topk(min(AMONG, logits.shape[1])).indices == y[:, None]
        loss = F.cross_entropy(logits, y, reduction="sum").item()
        sums += torch.tensor((loss, (logits.argmax(dim=1) == y).sum().item(), likeliest.sum().item()), dtype=torch.float64)
    return Tested(*(world.sum(sums) / len(images)).tolist())


def together(logits: Tensor, crops: int) -> Tensor:
    """Logits of images by those of so many crops of each: what gives the mean of their probabilities."""
    return logits if crops == 1 else logits.log_softmax(1).unflatten(0, (-1, crops)).exp().mean(1).log()
