"""In the style of default arguments: nn.Conv2d has a bias unless told otherwise."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet50"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Defaults"
PLANTED = "every convolution has a bias, although a normalisation follows each"
WHERE = ""
KINDS = ["bias"]


class ResidualBottleneck(nn.Module):
    def __init__(self, in_ch, mid, stride):
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(in_ch, mid, 1, stride), nn.BatchNorm2d(mid))
        self.conv = nn.Sequential(nn.Conv2d(mid, mid, 3, padding=1), nn.BatchNorm2d(mid))
        self.expand = nn.Sequential(nn.Conv2d(mid, mid * 4, 1), nn.BatchNorm2d(mid * 4))
        self.shortcut = nn.Sequential(nn.Conv2d(in_ch, mid * 4, 1, stride), nn.BatchNorm2d(mid * 4))

    def forward(self, x):
        y = self.expand(F.relu(self.conv(F.relu(self.reduce(x)))))
        return F.relu(self.shortcut(x) + y)


class Defaults(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(
            ResidualBottleneck(64, 64, 1),
            ResidualBottleneck(256, 128, 2),
            ResidualBottleneck(512, 256, 2),
            ResidualBottleneck(1024, 512, 2),
        )
        self.last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 10))

    def forward(self, x):
        return self.last(self.blocks(self.first(x)))
