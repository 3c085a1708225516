"""In the style of a hyperparameter list with one entry of its own."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "DenseMnist"
PLANTED = "the second block grows by 12 maps a layer, the others by 8"
WHERE = "dense_block_2"
KINDS = ["growth", "channels", "maps"]


class Grow(nn.Module):
    def __init__(self, n, k):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(n), nn.Conv2d(n, k, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(F.relu(self.bn(x)))], 1)


class Shrink(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(n), nn.Conv2d(n, n, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(self.bn(x)), 2)


class DenseMnist(nn.Module):
    def __init__(self, rates=(8, 12, 8), layers=3):
        super().__init__()
        n, self.steps = 16, nn.ModuleList()
        self.start = nn.Conv2d(1, n, 3, 2, 1, bias=False)
        for block, k in enumerate(rates):
            if block:
                self.steps.append(Shrink(n))
            for _ in range(layers):
                self.steps.append(Grow(n, k))
                n += k
        self.bn, self.fc = nn.BatchNorm2d(n), nn.Linear(n, 10)

    def forward(self, x):
        x = self.start(x)
        for step in self.steps:
            x = step(x)
        return self.fc(F.relu(self.bn(x)).mean((2, 3)))
