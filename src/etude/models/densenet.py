"""Densely Connected Convolutional Networks (Huang, Liu, van der Maaten, Weinberger 2016, arXiv 1608.06993).

CIFAR, section 3: 3×32×32 to 10 classes             ImageNet, Table 1: 3×224×224 to 1000 classes, always BC
  conv1           32×32   3×3, 16 channels (BC: 2k)   conv1           112×112   7×7, stride 2, 2k channels; BN, ReLU
  dense_block_1   32×32                               dense_block_1   56×56     behind a 3×3 max pool of stride 2
  dense_block_2   16×16   behind transition_1         dense_block_2   28×28     behind transition_1
  dense_block_3   8×8     behind transition_2         dense_block_3   14×14     behind transition_2
                                                      dense_block_4   7×7       behind transition_3
  BN, ReLU, global average pool, fully connected      BN, ReLU, global average pool, fully connected

Layer l of a block sees the k₀ + k·(l − 1) maps before it and adds k = growth_rate new ones.
  B   a 1×1 convolution to 4k maps in front of each 3×3     `bottleneck`
  C   transitions keep ⌊θ·m⌋ of m maps                       `compression`, θ; 1 keeps all
Two independent options: L = depth counts (L − 4)/3 layers a block, half as many with B.
Variant  `stem="3x3"`, the networks of Table 1 behind a 3×3 conv1 of stride 1 alone (densenet121@cifar, kuangliu's)
Deduced  a ReLU behind the BN of a transition and in front of the last pool (Table 1's caption; authors' code)
Dropout  `dropout`, behind every convolution but the first (section 4.2): 0.2 without augmentation, else 0
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.models.pieces import check, check_list, check_sizes, he_init


class DenseLayer(nn.Module):
    """BN, ReLU, 3×3 convolution to `growth_rate` maps, behind the input: N×C×H×W to N×(C+k)×H×W (section 3)."""

    def __init__(self, in_channels: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, growth_rate, kernel_size=3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        new = self.dropout(self.conv1(F.relu(self.norm1(x))))
        return torch.cat([x, new], dim=1)


class BottleneckLayer(nn.Module):
    """BN, ReLU, 1×1 to 4k maps; BN, ReLU, 3×3 to k maps, behind the input: N×C×H×W to N×(C+k)×H×W (section 3, B)."""

    def __init__(self, in_channels: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth_rate, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth_rate)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        new = self.dropout(self.conv1(F.relu(self.norm1(x))))
        new = self.dropout(self.conv2(F.relu(self.norm2(new))))
        return torch.cat([x, new], dim=1)


class Transition(nn.Module):
    """BN, ReLU, 1×1 convolution, 2×2 average pool: N×C×H×W to N×out×⌊H/2⌋×⌊W/2⌋ (section 3)."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.conv(F.relu(self.norm(x))))
        return F.avg_pool2d(x, kernel_size=2)


Layer = Callable[[int, int, float], nn.Module]


def dense_block(layer: Layer, layers: int, channels: int, growth_rate: int, dropout: float) -> tuple[nn.Sequential, int]:
    """`layers` dense layers, and how many channels come out of them."""
    block = nn.Sequential(*(layer(channels + index * growth_rate, growth_rate, dropout) for index in range(layers)))
    return block, channels + layers * growth_rate


def transition(channels: int, compression: float, dropout: float) -> tuple[Transition, int]:
    """A transition that keeps ⌊θ·channels⌋, and how many that are."""
    kept = int(compression * channels)
    return Transition(channels, kept, dropout), kept


class CifarDenseNet(nn.Module):
    """The networks of Table 2: N×3×32×32 to N×classes.

    depth        L; 3m + 4 layers with weights, with `bottleneck` 6m + 4
    growth_rate  k
    compression  θ, in (0, 1]
    """

    def __init__(
        self,
        depth: int = 40,
        growth_rate: int = 12,
        *,
        bottleneck: bool = False,
        compression: float = 1.0,
        dropout: float = 0.0,
        classes: int = 10,
    ) -> None:
        super().__init__()
        check_sizes(depth=depth, growth_rate=growth_rate, classes=classes)
        layers, rest = divmod(depth - 4, 6 if bottleneck else 3)
        if layers < 1 or rest:
            raise ValueError(f"depth = {depth}, expected {'6m + 4 with' if bottleneck else '3m + 4 without'} bottlenecks (section 3)")
        if not 0 < compression <= 1:
            raise ValueError(f"compression = {compression}, expected a number in (0, 1] (section 3, θ)")
        stem = 2 * growth_rate if bottleneck and compression < 1 else 16
        self.conv1 = nn.Conv2d(3, stem, kernel_size=3, padding=1, bias=False)
        layer = BottleneckLayer if bottleneck else DenseLayer
        self.dense_block_1, channels = dense_block(layer, layers, stem, growth_rate, dropout)
        self.transition_1, channels = transition(channels, compression, dropout)
        self.dense_block_2, channels = dense_block(layer, layers, channels, growth_rate, dropout)
        self.transition_2, channels = transition(channels, compression, dropout)
        self.dense_block_3, channels = dense_block(layer, layers, channels, growth_rate, dropout)
        self.norm = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.transition_1(self.dense_block_1(x))
        x = self.transition_2(self.dense_block_2(x))
        x = self.dense_block_3(x)
        x = F.relu(self.norm(x)).mean(dim=(2, 3))
        return self.fc(x)


class DenseNet(nn.Module):
    """The networks of Table 1, DenseNet-BC with θ = 0.5: N×3×224×224 to N×classes.

    layers       dense layers in each of the four blocks
    growth_rate  k
    stem         conv1 of stride 2 with BN, ReLU and a max pool behind it, or one of stride 1 with nothing
    """

    def __init__(
        self,
        layers: tuple[int, int, int, int] = (6, 12, 24, 16),
        growth_rate: int = 32,
        *,
        stem: Literal["7x7", "3x3"] = "7x7",
        dropout: float = 0.0,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        check(stem=(stem, ("7x7", "3x3")))
        check_list("layers", layers, 4)
        check_sizes(growth_rate=growth_rate, classes=classes)
        self.stem, channels = stem, 2 * growth_rate
        if stem == "7x7":
            self.conv1 = nn.Conv2d(3, channels, kernel_size=7, stride=2, padding=3, bias=False)
            self.norm1 = nn.BatchNorm2d(channels)
        else:
            self.conv1 = nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False)
        self.dense_block_1, channels = dense_block(BottleneckLayer, layers[0], channels, growth_rate, dropout)
        self.transition_1, channels = transition(channels, 0.5, dropout)
        self.dense_block_2, channels = dense_block(BottleneckLayer, layers[1], channels, growth_rate, dropout)
        self.transition_2, channels = transition(channels, 0.5, dropout)
        self.dense_block_3, channels = dense_block(BottleneckLayer, layers[2], channels, growth_rate, dropout)
        self.transition_3, channels = transition(channels, 0.5, dropout)
        self.dense_block_4, channels = dense_block(BottleneckLayer, layers[3], channels, growth_rate, dropout)
        self.norm = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        if self.stem == "7x7":
            x = F.max_pool2d(F.relu(self.norm1(x)), kernel_size=3, stride=2, padding=1)
        x = self.transition_1(self.dense_block_1(x))
        x = self.transition_2(self.dense_block_2(x))
        x = self.transition_3(self.dense_block_3(x))
        x = self.dense_block_4(x)
        x = F.relu(self.norm(x)).mean(dim=(2, 3))
        return self.fc(x)
