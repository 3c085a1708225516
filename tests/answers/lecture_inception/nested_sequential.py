from collections import OrderedDict

import torch
import torch.nn as nn


class Concat(nn.ModuleList):
    """Runs every member on the same input and joins the results along the channels."""

    def forward(self, x):
        return torch.cat(tuple(m(x) for m in self), dim=-3)


class Pointwise(nn.Linear):
    """1x1 convolution by means of the linear layer: it wants the channels at the end."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def inception(c):
    return Concat([
        Pointwise(c, 16),
        nn.Sequential(Pointwise(c, 16), nn.Conv2d(16, 24, 3, 1, 1), nn.Conv2d(24, 24, 3, 1, 1)),
        nn.Sequential(Pointwise(c, 16), nn.Conv2d(16, 24, 5, 1, 2)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1), Pointwise(c, 24)),
    ])


class LectureInception(nn.Sequential):
    def __init__(self):
        steps = OrderedDict()
        channels = 1
        for i, width in enumerate((10, 20), start=1):
            steps[f"conv{i}"] = nn.Conv2d(channels, width, 5)
            steps[f"pool{i}"] = nn.MaxPool2d(2)
            steps[f"relu{i}"] = nn.ReLU(inplace=True)
            steps[f"inception{i}"] = inception(width)
            channels = 88
        steps["flatten"] = nn.Flatten()
        steps["fc"] = nn.Linear(88 * 4 * 4, 10)
        super().__init__(steps)
