"""In the style of a functional rewrite: the second module's two 3×3 share their padding unevenly, so all sizes still fit."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Rewrite"
PLANTED = "the 3×3 convolutions of the second module have padding 0 and 2, the lecture's have 1 and 1"
WHERE = "incep2"
KINDS = ["padding"]


class Rewrite(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict()
        for name, i, o, k in self.table():
            self.layers[name] = nn.Conv2d(i, o, k)
        self.fc = nn.Linear(1408, 10)

    @staticmethod
    def table():
        yield "conv1", 1, 10, 5
        yield from Rewrite.module("1", 10)
        yield "conv2", 88, 20, 5
        yield from Rewrite.module("2", 20)

    @staticmethod
    def module(m, c):
        yield from [(f"{m}a", c, 16, 1), (f"{m}b", c, 16, 1), (f"{m}bb", 16, 24, 5)]
        yield from [(f"{m}c", c, 16, 1), (f"{m}cc", 16, 24, 3), (f"{m}ccc", 24, 24, 3)]
        yield f"{m}d", c, 24, 1

    def c(self, name, x, pad=0):
        layer = self.layers[name]
        return F.conv2d(x, layer.weight, layer.bias, padding=pad)

    def inception(self, m, x, pads):
        b = self.c(f"{m}bb", self.c(f"{m}b", x), 2)
        c = self.c(f"{m}ccc", self.c(f"{m}cc", self.c(f"{m}c", x), pads[0]), pads[1])
        return torch.cat([self.c(f"{m}a", x), b, c, self.c(f"{m}d", F.avg_pool2d(x, 3, 1, 1))], 1)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.c("conv1", x), 2))
        x = self.inception("1", x, pads=(1, 1))
        x = F.relu(F.max_pool2d(self.c("conv2", x), 2))
        x = self.inception("2", x, pads=(0, 2))
        return self.fc(x.flatten(1))
