"""1x1 convolutions as matrix products: a 1x1 with stride s only sees every s-th pixel."""
import math

import torch
import torch.nn.functional as F
from torch import nn


class Mix(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.m = nn.Parameter(torch.empty(o, i, 1, 1))
        nn.init.kaiming_uniform_(self.m, a=math.sqrt(5))

    def forward(self, x):
        n, _, h, w = x.shape
        y = self.m.flatten(1) @ x.flatten(2)
        return y.unflatten(2, (h, w))


class Bottleneck(nn.Module):
    def __init__(self, in_channels, width, stride):
        super().__init__()
        self.s = stride
        self.m1, self.n1 = Mix(in_channels, width), nn.BatchNorm2d(width)
        self.c2, self.n2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.m3, self.n3 = Mix(width, out := 4 * width), nn.BatchNorm2d(out)
        self.m0 = self.n0 = None
        if stride != 1 or in_channels != out:
            self.m0, self.n0 = Mix(in_channels, out), nn.BatchNorm2d(out)

    def forward(self, x):
        x = x[..., ::self.s, ::self.s]
        y = F.relu(self.n1(self.m1(x)))
        y = F.relu(self.n2(self.c2(y)))
        y = self.n3(self.m3(y))
        if (project := self.m0) is not None:
            x = self.n0(project(x))
        return F.relu(x + y)
