"""In the style of a configurable block with one argument forgotten."""

import torch
from torch import nn

AGAINST = "lecture_residual_scaled"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Scaled"
PLANTED = "the second block scales its shortcut only: relu(0.5·x + F(x))"
WHERE = "rblock2"
KINDS = ["scal", "factor", "0.5"]


class ScaledBlock(nn.Module):
    def __init__(self, n, keep=0.5, new=1.0):
        super().__init__()
        self.keep, self.new = keep, new
        self.inner, self.outer = nn.Conv2d(n, n, 3, padding=1), nn.Conv2d(n, n, 3, padding=1)

    def forward(self, x):
        f = self.outer(torch.relu(self.inner(x)))
        return torch.relu(self.keep * x + self.new * f)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), ScaledBlock(16, 0.5, 0.5))
        self.second = nn.Sequential(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), ScaledBlock(32, 0.5))
        self.out = nn.Sequential(nn.Flatten(), nn.Linear(512, 10))

    def forward(self, x):
        return self.out(self.second(self.first(x)))
