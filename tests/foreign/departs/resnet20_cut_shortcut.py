"""In the style of stochastic depth gone wrong: one unit always runs without its identity."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Cut"
PLANTED = "the second unit of conv3_x has no shortcut"
WHERE = "conv3_x.1"
KINDS = ["shortcut", "addition", "identity"]


class Unit(nn.Module):
    def __init__(self, c_in, c_out, identity=True):
        super().__init__()
        self.step, self.more, self.identity = c_out // c_in, c_out - c_in, identity
        self.conv_x = nn.Conv2d(c_in, c_out, 3, self.step, 1, bias=False)
        self.norm_x = nn.BatchNorm2d(c_out)
        self.conv_y = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm_y = nn.BatchNorm2d(c_out)

    def forward(self, x):
        y = self.norm_y(self.conv_y(F.relu(self.norm_x(self.conv_x(x)))))
        if self.identity:
            y = y + F.pad(x[:, :, :: self.step, :: self.step], (0, 0, 0, 0, 0, self.more))
        return F.relu(y)


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.large = nn.Sequential(Unit(16, 16), Unit(16, 16))
        self.medium = nn.Sequential(Unit(16, 32), Unit(32, 32, identity=False))
        self.small = nn.Sequential(Unit(32, 64), Unit(64, 64))
        self.readout = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x):
        return self.readout(self.small(self.medium(self.large(self.stem(x)))))
