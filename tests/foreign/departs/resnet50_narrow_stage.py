"""In the style of a width table with a repeated entry."""

import torch
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Narrow"
PLANTED = "the bottleneck of conv3_x is 64 wide inside, the paper's is 128"
WHERE = "conv3_x.0"
KINDS = ["width", "channels", "maps", "128", "bottleneck"]

INSIDE, OUTSIDE = (64, 64, 256, 512), (256, 512, 1024, 2048)


def step(i, o, k, s=1, act=True):
    layers = [nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o)]
    if act:
        layers.append(nn.ReLU(True))
    return layers


class Neck(nn.Module):
    def __init__(self, before, inside, outside, s):
        super().__init__()
        self.squeeze = nn.Sequential(*step(before, inside, 1, s), *step(inside, inside, 3), *step(inside, outside, 1, act=False))
        self.project = nn.Sequential(*step(before, outside, 1, s, act=False))

    def forward(self, x):
        return torch.relu_(self.squeeze(x).add_(self.project(x)))


class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        layers, before = [*step(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
        for i, (inside, outside) in enumerate(zip(INSIDE, OUTSIDE, strict=True)):
            layers.append(Neck(before, inside, outside, 2 if i else 1))
            before = outside
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, 10)

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=(2, 3)))
