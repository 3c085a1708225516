import math

import torch
import torch.nn.functional as F
from torch import nn


def _filters(c_out, c_in, k):
    w = torch.empty(c_out, c_in, k, k)
    nn.init.kaiming_uniform_(w, a=math.sqrt(5))
    return nn.Parameter(w)


def _bias(c_out, fan_in):
    return nn.Parameter((2 * torch.rand(c_out) - 1) / math.sqrt(fan_in))


class InceptionA(nn.Module):
    """Everything is a parameter of a ParameterDict, no layer objects at all."""

    SHAPES = {
        # name: (out, in, kernel); None stands for in_channels
        "one": (16, None, 1),
        "three_a": (16, None, 1),
        "three_b": (24, 16, 3),
        "three_c": (24, 24, 3),
        "five_a": (16, None, 1),
        "five_b": (24, 16, 5),
        "pool": (24, None, 1),
    }

    def __init__(self, in_channels):
        super().__init__()
        self.w = nn.ParameterDict()
        self.b = nn.ParameterDict()
        for name, (o, i, k) in self.SHAPES.items():
            i = i or in_channels
            self.w[name] = _filters(o, i, k)
            self.b[name] = _bias(o, i * k * k)

    def conv(self, name, x):
        w = self.w[name]
        return F.conv2d(x, w, self.b[name], padding=w.shape[-1] // 2)

    def forward(self, x):
        five = self.conv("five_b", self.conv("five_a", x))
        three = self.conv("three_c", self.conv("three_b", self.conv("three_a", x)))
        pool = self.conv("pool", F.avg_pool2d(x, 3, 1, 1))
        return torch.cat((self.conv("one", x), five, three, pool), 1)
