"""In the style of someone who puts the newest maps in front: the concatenation is permuted, everything behind it with it."""

import torch
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "build(growth=8)"


class Newest(nn.Module):
    def __init__(self, c, growth):
        super().__init__()
        self.f = nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, growth, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.cat([self.f(x), x], dim=1)


def build(growth):
    c = 16
    layers = [nn.Conv2d(1, c, 3, stride=2, padding=1, bias=False)]
    for block in range(3):
        for _ in range(3):
            layers.append(Newest(c, growth))
            c += growth
        if block < 2:
            layers += [nn.BatchNorm2d(c), nn.Conv2d(c, c, 1, bias=False), nn.AvgPool2d(2)]
    layers += [nn.BatchNorm2d(c), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Conv2d(c, 10, 1), nn.Flatten()]
    return nn.Sequential(*layers)
