"""In the style of a linear-bottleneck reader: one unit has no activation in front of its last 1×1."""

import torch
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 2, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Linear"
PLANTED = "no ReLU between the 3×3 and the last 1×1 of the second unit of conv3_x"
WHERE = "conv3_x.1"
KINDS = ["ReLU", "activation"]


class ConvNorm(nn.Module):
    def __init__(self, i, o, k, s=1, relu=True):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return torch.relu(x) if self.relu else x


def path(i, w, s, linear=False):
    return nn.Sequential(ConvNorm(i, w, 1, s), ConvNorm(w, w, 3, relu=not linear), ConvNorm(w, 4 * w, 1, relu=False))


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.pool = ConvNorm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)
        self.paths = nn.ModuleList(
            [path(64, 64, 1), path(256, 128, 2), path(512, 128, 1, linear=True), path(512, 256, 2), path(1024, 512, 2)]
        )
        sides = [ConvNorm(64, 256, 1, 1, False), ConvNorm(256, 512, 1, 2, False), nn.Identity()]
        self.sides = nn.ModuleList([*sides, ConvNorm(512, 1024, 1, 2, False), ConvNorm(1024, 2048, 1, 2, False)])
        self.classes = nn.Linear(2048, 10)

    def forward(self, x):
        x = self.pool(self.stem(x))
        for path, side in zip(self.paths, self.sides, strict=True):
            x = torch.relu(path(x) + side(x))
        return self.classes(x.mean((2, 3)))
