"""In the style of a list of words per unit, two of them swapped."""

import torch
from torch import nn

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Worded"
PLANTED = "the second unit of conv3_x begins with ReLU, BN in place of BN, ReLU"
WHERE = "conv3_x.1"
KINDS = ["order", "ReLU", "BN"]

UNITS = [
    (16, 16, "conv bn relu conv"),
    (16, 16, "bn relu conv bn relu conv"),
    (16, 32, "bn relu conv bn relu conv"),
    (32, 32, "relu bn conv bn relu conv"),
    (32, 64, "bn relu conv bn relu conv"),
    (64, 64, "bn relu conv bn relu conv"),
]


def spell(words, i, o):
    layers = []
    for word in words.split():
        if word == "conv":
            layers.append(nn.Conv2d(i, o, 3, o // i, 1, bias=False))
            i = o
        else:
            layers.append(nn.ReLU() if word == "relu" else nn.BatchNorm2d(i))
    return nn.Sequential(*layers)


class Worded(nn.Module):
    def __init__(self):
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.units = nn.ModuleList([spell(words, i, o) for i, o, words in UNITS])
        self.end = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x):
        x = self.begin(x)
        for unit in self.units:
            y = unit(x)
            if y.shape != x.shape:
                x = x[:, :, ::2, ::2]
                x = torch.cat([x, torch.zeros_like(x)], dim=1)
            x = x + y
        return self.end(x)
