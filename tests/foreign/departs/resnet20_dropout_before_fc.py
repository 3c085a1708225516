"""In the style of somebody who fights overfitting where they can."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Regularised"
PLANTED = "dropout of 50 % in front of the fully connected layer; the paper uses none"
WHERE = "fc"
KINDS = ["dropout"]


class Unit(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.ParameterList([torch.randn(o, i, 3, 3) * 0.1, torch.randn(o, o, 3, 3) * 0.1])
        self.bn = nn.ModuleList([nn.BatchNorm2d(o), nn.BatchNorm2d(o)])
        self.i, self.o = i, o

    def forward(self, x):
        y = self.bn[0](F.conv2d(x, self.conv[0], stride=self.o // self.i, padding=1)).relu()
        y = self.bn[1](F.conv2d(y, self.conv[1], padding=1))
        x = x[:, :, :: self.o // self.i, :: self.o // self.i]
        return (F.pad(x, (0, 0, 0, 0, 0, self.o - self.i)) + y).relu()


class Regularised(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.stages = nn.Sequential(Unit(16, 16), Unit(16, 32), Unit(32, 64))
        self.drop = nn.Dropout(p)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stages(self.bn(self.conv(x)).relu()).mean((2, 3))
        x = self.drop(x)
        return self.fc(x)
