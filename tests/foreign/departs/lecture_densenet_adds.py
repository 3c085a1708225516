"""In the style of someone between ResNet and DenseNet: one block adds where it should concatenate."""

import torch
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Between"
PLANTED = "the layers of the second block add their maps to the input instead of joining them behind it"
WHERE = "dense_block_2"
KINDS = ["concat", "addition", "added", "adds", "growth", "channels", "maps"]


class Composite(nn.Module):
    def __init__(self, n, new, join):
        super().__init__()
        self.join = join
        self.h = nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, new, 3, 1, 1, bias=False))

    def forward(self, x):
        if self.join == "add":
            return x + self.h(x)
        return torch.cat([x, self.h(x)], 1)


def squeeze(n):
    return nn.Sequential(nn.BatchNorm2d(n), nn.Conv2d(n, n, 1, bias=False), nn.AvgPool2d(2, 2))


class Between(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.block1 = nn.Sequential(*[Composite(16 + 8 * i, 8, "cat") for i in range(3)], squeeze(40))
        self.block2 = nn.Sequential(*[Composite(40, 40, "add") for _ in range(3)], squeeze(40))
        self.block3 = nn.Sequential(*[Composite(40 + 8 * i, 8, "cat") for i in range(3)])
        self.last = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.first(x))))
        return self.out(self.last(x).mean((-1, -2)))
