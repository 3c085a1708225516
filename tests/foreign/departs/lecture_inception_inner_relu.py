"""In the style of a reader of GoogLeNet, where an activation belongs behind every 1×1."""

import torch
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "make()"
PLANTED = "a ReLU between the 1×1 and the 5×5 of the first module, in which the lecture has no activation"
WHERE = "incep1"
KINDS = ["ReLU", "activation"]


class Concat(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def inception(c, *between):
    return Concat(
        nn.Conv2d(c, 16, 1),
        nn.Sequential(nn.Conv2d(c, 16, 1), *between, nn.Conv2d(16, 24, 5, 1, 2)),
        nn.Sequential(nn.Conv2d(c, 16, 1), nn.Conv2d(16, 24, 3, 1, 1), nn.Conv2d(24, 24, 3, 1, 1)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(c, 24, 1)),
    )


def make():
    stem = [nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), inception(10, nn.ReLU())]
    middle = [nn.Conv2d(88, 20, 5), nn.MaxPool2d(2), nn.ReLU(), inception(20)]
    return nn.Sequential(*stem, *middle, nn.Flatten(), nn.Linear(1408, 10))
