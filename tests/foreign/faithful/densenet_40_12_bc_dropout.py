"""In the style of a dropout believer: BC layers, F.dropout behind every convolution but the first."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 16, "bottleneck": True, "compression": 0.5, "dropout": 0.2}
INPUT = (3, 32, 32)
CALLABLE = "DenseNetBC"


class DropConv(nn.Module):
    """norm – relu – conv – dropout"""

    def __init__(self, n_in, n_out, k, rate):
        super().__init__()
        self.rate = rate
        self.conv = nn.Conv2d(n_in, n_out, k, padding=k // 2, bias=False)
        self.norm = nn.BatchNorm2d(n_in)

    def forward(self, x):
        return F.dropout(self.conv(F.relu(self.norm(x))), self.rate, self.training)


class Layer(nn.Module):
    def __init__(self, n_in, k, rate):
        super().__init__()
        self.wide, self.narrow = DropConv(n_in, 4 * k, 1, rate), DropConv(4 * k, k, 3, rate)

    def forward(self, x):
        return torch.concat([x, self.narrow(self.wide(x))], dim=-3)


class DenseNetBC(nn.Module):
    def __init__(self, depth=16, k=12, theta=0.5, rate=0.2):
        super().__init__()
        n = (depth - 4) // 6
        c = 2 * k
        self.conv0 = nn.Conv2d(3, c, 3, padding=1, bias=False)
        self.path = nn.ModuleList()
        for block in (1, 2, 3):
            for _ in range(n):
                self.path.append(Layer(c, k, rate))
                c += k
            if block != 3:
                self.path.append(DropConv(c, math.floor(c * theta), 1, rate))
                c = math.floor(c * theta)
        self.norm = nn.BatchNorm2d(c)
        self.classifier = nn.Linear(c, 10)

    def forward(self, x):
        x = self.conv0(x)
        for step in self.path:
            x = step(x)
            if isinstance(step, DropConv):
                x = F.avg_pool2d(x, 2, 2)
        return self.classifier(F.relu(self.norm(x)).mean(-1).mean(-1))
