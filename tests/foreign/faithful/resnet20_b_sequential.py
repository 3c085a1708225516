"""In the style of a Sequential purist: no forward but that of a two-armed container."""

import torch
from torch import nn

AGAINST = "resnet20@b"
OPTIONS = {"depth": 14, "classes": 100}
INPUT = (3, 32, 32)
CALLABLE = "resnet14()"


class Plus(nn.Module):
    def __init__(self, left, right):
        super().__init__()
        self.arms = nn.ModuleList([left, right])

    def forward(self, x):
        return torch.stack([arm(x) for arm in self.arms]).sum(0)


def conv_bn(i, o, k, s=1):
    return [nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o)]


def block(i, o, s):
    skip = nn.Identity() if i == o else nn.Sequential(*conv_bn(i, o, 1, s))
    return nn.Sequential(Plus(skip, nn.Sequential(*conv_bn(i, o, 3, s), nn.ReLU(), *conv_bn(o, o, 3))), nn.ReLU())


def resnet14():
    return nn.Sequential(
        *conv_bn(3, 16, 3),
        nn.ReLU(),
        block(16, 16, 1),
        block(16, 16, 1),
        block(16, 32, 2),
        block(32, 32, 1),
        block(32, 64, 2),
        block(64, 64, 1),
        nn.AvgPool2d(8),
        nn.Flatten(),
        nn.Linear(64, 100),
    )
