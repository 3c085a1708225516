"""In the style of a minimal reading of "transition": shrink the map; the second one forgets to normalise."""

from collections import OrderedDict

import torch
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "MinimalDense"
PLANTED = "the second transition has no batch normalisation in front of its 1×1"
WHERE = "transition_2"
KINDS = ["BN", "batch", "norm"]


class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.f = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 8, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.hstack([x, self.f(x)])


def stack(width):
    return nn.Sequential(Unit(width), Unit(width + 8), Unit(width + 16))


class MinimalDense(nn.Module):
    def __init__(self):
        super().__init__()
        parts = OrderedDict(
            stem=nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False),
            stack1=stack(16),
            shrink1=nn.Sequential(nn.BatchNorm2d(40), nn.Conv2d(40, 40, 1, bias=False), nn.AvgPool2d(2)),
            stack2=stack(40),
            shrink2=nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), nn.AvgPool2d(2)),
            stack3=stack(64),
            finish=nn.Sequential(nn.BatchNorm2d(88), nn.ReLU()),
        )
        self.features = nn.Sequential(parts)
        self.out = nn.Linear(88, 10)

    def forward(self, x):
        return self.out(self.features(x).mean(dim=3).mean(dim=2))
