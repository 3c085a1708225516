"""In the style of the public note that writes h = g·x."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "shortcut_only_gating"}
INPUT = (3, 32, 32)
CALLABLE = "Noted"
PLANTED = "the shortcut is scaled by g, the paper's by 1 − g"
WHERE = ""
KINDS = ["gate", "1 − g", "1 - g", "gating"]


class Gated(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.i, self.o = i, o
        self.w1, self.n1 = nn.Conv2d(i, o, 3, o // i, 1, bias=False), nn.BatchNorm2d(o)
        self.w2, self.n2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.gate = nn.Conv2d(o, o, 1)
        nn.init.constant_(self.gate.bias, -6.0)

    def forward(self, x):
        f = self.n2(self.w2(F.relu(self.n1(self.w1(x)))))
        if self.i != self.o:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.i))
        g = torch.sigmoid(self.gate(x))
        return F.relu(g * x + f)


class Noted(nn.Module):
    def __init__(self):
        super().__init__()
        self.w0, self.n0 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.units = nn.Sequential(Gated(16, 16), Gated(16, 32), Gated(32, 64))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.n0(self.w0(x)))
        return self.fc(self.units(x).mean((2, 3)))
