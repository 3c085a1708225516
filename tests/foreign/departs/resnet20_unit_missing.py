"""In the style of an off-by-one: the last stage's loop ends a unit early."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "OffByOne(n=2)"
PLANTED = "the last stage has one unit too few"
WHERE = "conv4_x"
KINDS = ["missing", "unit", "block", "one fewer", "fewer"]


class U(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.i, self.o = i, o
        self.net = nn.Sequential(
            nn.Conv2d(i, o, 3, o // i, 1, bias=False),
            nn.BatchNorm2d(o),
            nn.ReLU(),
            nn.Conv2d(o, o, 3, 1, 1, bias=False),
            nn.BatchNorm2d(o),
        )

    def forward(self, x):
        s = x if self.i == self.o else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.o - self.i))
        return F.relu(s + self.net(x))


class OffByOne(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.units = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        for _ in range(n):
            self.units.append(U(16, 16))
        self.units.append(U(16, 32))
        for _ in range(1, n):
            self.units.append(U(32, 32))
        self.units.append(U(32, 64))
        for _ in range(1, n - 1):
            self.units.append(U(64, 64))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(torch.amax(self.units(x).mean((2, 3), keepdim=True), (2, 3)))
