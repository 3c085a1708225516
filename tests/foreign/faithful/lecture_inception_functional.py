"""In the style of someone who came from NumPy: tensors in a ParameterDict, one function, no layers."""

import math

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Digits"

SHAPES = {"stem": (10, 1, 5, 5), "mid": (20, 88, 5, 5), "out": (10, 1408)}
for block, width in (("m1", 10), ("m2", 20)):
    SHAPES[f"{block}_a"] = (16, width, 1, 1)
    SHAPES[f"{block}_b1"], SHAPES[f"{block}_b2"] = (16, width, 1, 1), (24, 16, 5, 5)
    SHAPES[f"{block}_c1"], SHAPES[f"{block}_c2"], SHAPES[f"{block}_c3"] = (16, width, 1, 1), (24, 16, 3, 3), (24, 24, 3, 3)
    SHAPES[f"{block}_d"] = (24, width, 1, 1)


def rectify(x):
    return torch.where(x > 0, x, torch.zeros_like(x))


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.b = nn.ParameterDict(), nn.ParameterDict()
        for name, shape in SHAPES.items():
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            self.w[name] = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
            self.b[name] = nn.Parameter(torch.empty(shape[0]).uniform_(-bound, bound))

    def conv(self, name, x, pad=0):
        return F.conv2d(x, self.w[name], self.b[name], padding=pad)

    def module(self, m, x):
        a = self.conv(f"{m}_a", x)
        b = self.conv(f"{m}_b2", self.conv(f"{m}_b1", x), 2)
        c = self.conv(f"{m}_c3", self.conv(f"{m}_c2", self.conv(f"{m}_c1", x), 1), 1)
        d = self.conv(f"{m}_d", F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([a, b, c, d], 1)

    def forward(self, x):
        x = F.max_pool2d(rectify(self.conv("stem", x)), 2)
        x = self.module("m1", x)
        x = F.max_pool2d(rectify(self.conv("mid", x)), 2)
        x = self.module("m2", x)
        return F.linear(x.reshape(len(x), -1), self.w["out"], self.b["out"])
