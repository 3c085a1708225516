"""Registered networks made small: every kind of block is kept, and one block after another of its kind."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from etude.models import registry

# by the class of the model: its options, and the side of the image where less than half of its own is large enough
REDUCED: dict[str, tuple[dict[str, Any], int | None]] = {
    "resnet:ResNet": ({"units": (1, 2, 1, 1)}, 64),
    "resnet:CifarResNet": ({"depth": 14}, None),
    "identity_mappings:CifarIdentityMappings": ({"depth": 20}, None),  # 6n + 2 and 9n + 2
    "identity_mappings:PreActResNet": ({"units": (1, 2, 1, 1)}, 64),
    "identity_mappings:CifarStemPreActResNet": ({"units": (1, 2, 1, 1)}, 16),
    "googlenet:TorchvisionGoogLeNet": ({}, 96),  # 6×6 in front of the heads, which pool it to 4×4
    "googlenet:CifarGoogLeNet": ({}, 16),
    "densenet:CifarDenseNet": ({"depth": 16}, None),
    "densenet:DenseNet": ({"layers": (2, 3, 2, 2), "growth_rate": 12}, 64),
}


def small(name: str) -> dict[str, Any]:
    """The options that make a network small."""
    return REDUCED.get(registry.row(name).target, ({}, None))[0]


def image(name: str) -> tuple[int, int, int]:
    """A small image that it takes."""
    channels, height, width = registry.row(name).input
    side = REDUCED.get(registry.row(name).target, ({}, None))[1]
    return (channels, min(side, height // 2), min(side, width // 2)) if side else (channels, height, width)


def distinct() -> list[str]:
    """A name for each network that is left when sizes are reduced."""
    found: dict[str, str] = {}
    for row in registry.ROWS:
        found.setdefault(repr((row.target, sorted({**row.options, **small(row.name)}.items()))), row.name)
    return list(found.values())


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """What training uses: the network's own loss, where it has auxiliary heads."""
    return model.loss(x, y) if hasattr(model, "loss") else F.cross_entropy(model(x), y)  # type: ignore[operator]
