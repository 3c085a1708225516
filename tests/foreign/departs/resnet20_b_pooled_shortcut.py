"""In the style of the bag of tricks: the shortcut averages 2×2 before its 1×1, in one place."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20@b"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Tricks"
PLANTED = "the shortcut of the first unit of conv3_x is a 2×2 average pool and a 1×1 of stride 1, in place of a 1×1 of stride 2"
WHERE = "conv3_x.0"
KINDS = ["pool", "stride"]


def cbr(i, o, k, s, act=True):
    layers = [nn.Conv2d(i, o, k, s, (k - 1) // 2, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if act else nn.Sequential(*layers)


class Trick(nn.Module):
    def __init__(self, i, o, s=1, shortcut=None):
        super().__init__()
        self.a, self.b = cbr(i, o, 3, s), cbr(o, o, 3, 1, act=False)
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x):
        return F.relu(self.b(self.a(x)) + self.shortcut(x))


class Tricks(nn.Module):
    def __init__(self):
        super().__init__()
        pooled = nn.Sequential(nn.AvgPool2d(2, 2), cbr(16, 32, 1, 1, act=False))
        strided = cbr(32, 64, 1, 2, act=False)
        self.net = nn.Sequential(
            cbr(3, 16, 3, 1),
            Trick(16, 16),
            Trick(16, 16),
            Trick(16, 32, 2, pooled),
            Trick(32, 32),
            Trick(32, 64, 2, strided),
            Trick(64, 64),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )

    def forward(self, x):
        return self.net(x)
