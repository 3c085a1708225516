"""In the style of someone who counts kernel launches, and miscounts where the slices begin."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Launches"
PLANTED = "two reducers of the second module take some of the same maps"
WHERE = ""
KINDS = ["are used in two layers"]


class Fused(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.reduce = nn.Conv2d(width, 3 * 16, 1)
        self.five = nn.Conv2d(16, 24, 5, padding=2)
        self.three = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1))
        self.pooled = nn.Conv2d(width, 24, 1)

    def forward(self, x):
        five, three, alone = self.reduce(x).split(16, dim=1)
        pooled = self.pooled(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([pooled, alone, self.five(five), self.three(three)], dim=1)


class Unbound(Fused):
    """The same by slices."""

    def forward(self, x):
        y = self.reduce(x)
        alone, three, five = y[:, :16], y[:, 16:32], y[:, 24:40]
        pooled = self.pooled(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([alone, self.three(three), self.five(five), pooled], dim=1)


class Launches(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 10, 5), nn.Conv2d(88, 20, 5)
        self.a, self.b = Fused(10), Unbound(20)
        self.out = nn.Linear(1408, 10)

    def forward(self, x):
        x = self.a(F.relu(F.max_pool2d(self.first(x), 2)))
        x = self.b(F.relu(F.max_pool2d(self.second(x), 2)))
        return self.out(x.flatten(1))
