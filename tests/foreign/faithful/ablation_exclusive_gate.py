"""In the style of a highway-network reader: x + g·(F − x), which is (1 − g)·x + g·F, with the gate's bias at −6."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "exclusive_gating"}
INPUT = (3, 32, 32)
CALLABLE = "Highway"


class Carry(nn.Module):
    def __init__(self, planes, bias=-6.0):
        super().__init__()
        self.transform = nn.Conv2d(planes, planes, 1, bias=True)
        self.transform.bias.data.fill_(bias)

    def forward(self, x, h):
        t = self.transform(x).sigmoid()
        return x + t * (h - x)


class GatedUnit(nn.Module):
    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.grow, self.stride = planes - inplanes, stride
        self.carry = Carry(planes)
        self.h = nn.Sequential(
            nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
            nn.Conv2d(planes, planes, 3, 1, 1, bias=False),
            nn.BatchNorm2d(planes),
        )

    def forward(self, x):
        h = self.h(x)
        x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.grow))
        return F.relu(self.carry(x, h))


class Highway(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.units = nn.Sequential(GatedUnit(16, 16, 1), GatedUnit(16, 32, 2), GatedUnit(32, 64, 2))
        self.classify = nn.Linear(64, 10)

    def forward(self, x):
        x = self.units(self.head(x))
        return self.classify(torch.mean(x, (2, 3)))
