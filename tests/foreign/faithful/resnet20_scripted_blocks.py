"""In the style of someone who tunes: the residual units are compiled by torch.jit, the rest is not."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Tuned"


class Unit(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.stride = o // i
        self.c1, self.n1 = nn.Conv2d(i, o, 3, o // i, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.n2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        y = self.n2(self.c2(F.relu(self.n1(self.c1(x)))))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], [0, 0, 0, 0, 0, x.shape[1]])
        return F.relu(x + y)


class Tuned(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.units = nn.Sequential(*(torch.jit.script(Unit(i, o)) for i, o in ((16, 16), (16, 32), (32, 64))))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.units(self.stem(x)).mean((2, 3)))
