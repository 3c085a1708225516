"""In the style of an annotated tutorial: the test for "first block" asks about the network where the prose speaks of each stage."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "AnnotatedResNet([2, 2, 2], [16, 32, 64])"
PLANTED = "stride 2 in the very first block of the network alone; conv3_x and conv4_x begin with stride 1"
WHERE = "conv2_x.0"
KINDS = ["stride"]


class PaddedIdentity(nn.Module):
    r"""$x$, every `stride`-th pixel of it, with zeros for the channels that it lacks."""

    def __init__(self, in_features: int, out_features: int, stride: int):
        super().__init__()
        self.missing = out_features - in_features
        self.stride = stride

    def forward(self, x: torch.Tensor):
        x = x[..., :: self.stride, :: self.stride]
        batch, _, height, width = x.shape
        return torch.cat([x, x.new_zeros(batch, self.missing, height, width)], dim=1)


class ResidualBlock(nn.Module):
    r"""$\mathrm{ReLU}(\mathcal{F}(x) + x)$"""

    def __init__(self, in_features: int, out_features: int, stride: int):
        super().__init__()
        # First $3 \times 3$ convolution
        self.first = nn.Conv2d(in_features, out_features, kernel_size=3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(out_features)
        self.first_act = nn.ReLU()
        # Second $3 \times 3$ convolution; it keeps the shape
        self.second = nn.Conv2d(out_features, out_features, kernel_size=3, stride=1, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(out_features)
        # What carries $x$ past them
        changes = stride != 1 or in_features != out_features
        self.carry = PaddedIdentity(in_features, out_features, stride) if changes else nn.Identity()
        self.last_act = nn.ReLU()

    def forward(self, x: torch.Tensor):
        carried = self.carry(x)
        x = self.first_act(self.first_norm(self.first(x)))
        x = self.second_norm(self.second(x))
        return self.last_act(x + carried)


class AnnotatedResNet(nn.Module):
    def __init__(self, lengths: list[int], features: list[int], n_classes: int = 10):
        super().__init__()
        self.stem = nn.Conv2d(3, features[0], kernel_size=3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(features[0])
        self.stem_act = nn.ReLU()

        blocks: list[nn.Module] = []
        previous = features[0]
        for length, width in zip(lengths, features, strict=True):
            # The first block of a stage halves the map, but for the first stage
            stride = 2 if not blocks else 1
            blocks.append(ResidualBlock(previous, width, stride))
            previous = width
            # The others keep its shape
            blocks += [ResidualBlock(previous, width, 1) for _ in range(length - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(previous, n_classes)

    def forward(self, x: torch.Tensor):
        x = self.stem_act(self.stem_norm(self.stem(x)))
        x = self.blocks(x)
        # From `[batch, channels, height, width]` to one number a channel
        x = x.view(x.shape[0], x.shape[1], -1).mean(dim=-1)
        return self.classify(x)
