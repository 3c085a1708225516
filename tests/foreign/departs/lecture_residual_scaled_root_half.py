"""In the style of a variance purist: the sum of two independent things is divided by √2."""

import math

import torch.nn as nn

AGAINST = "lecture_residual_scaled"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "UnitVariance"
PLANTED = "both paths of both blocks are scaled by 1/√2, where the exercise says 0.5"
WHERE = ""
KINDS = ["scal", "factor", "0.5", "0.707"]


class Blend(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1))
        self.scale = 1 / math.sqrt(2)

    def forward(self, x):
        return (self.scale * (x + self.f(x))).relu()


class UnitVariance(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.blend1 = nn.Conv2d(1, 16, 5), Blend(16)
        self.conv2, self.blend2 = nn.Conv2d(16, 32, 5), Blend(32)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(512, 10)

    def forward(self, x):
        x = self.blend1(self.pool(self.conv1(x).relu()))
        x = self.blend2(self.pool(self.conv2(x).relu()))
        return self.fc(x.flatten(1))
