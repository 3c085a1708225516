import torch.nn as nn
from .blocks import conv
from utils.misc import same_padding
from . import blocks as B


class Unit(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.body = nn.Sequential(conv(cin, cout, 3, stride), nn.BatchNorm2d(cout), nn.ReLU(), B.conv(cout, cout, 3), nn.BatchNorm2d(cout))
        self.side = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout)) if cin != cout else nn.Identity()

    def forward(self, x):
        return (self.body(x) + self.side(x)).relu()


class CifarResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        n = (depth - 2) // 6
        widths = [16] * (n + 1) + [32] * n + [64] * n
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, same_padding(3), bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.units = nn.Sequential(*[Unit(a, b, 1 if a == b else 2) for a, b in zip(widths, widths[1:])])
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x):
        return self.head(self.units(self.stem(x)))
