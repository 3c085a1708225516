"""In the style of a helper that drops by default, not used in one place."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 10, "dropout": 0.2}
INPUT = (3, 32, 32)
CALLABLE = "MostlyDropped"
PLANTED = "no dropout behind the convolution of the first transition"
WHERE = "transition_1"
KINDS = ["dropout"]


class DropConv2d(nn.Conv2d):
    """A convolution without bias that drops a fifth of what it gives."""

    def __init__(self, n_in, n_out, k):
        super().__init__(n_in, n_out, k, padding=k // 2, bias=False)

    def forward(self, x):
        return F.dropout(super().forward(x), 0.2, training=self.training)


class Stage(nn.Module):
    def __init__(self, n, k=12):
        super().__init__()
        self.layers = nn.ModuleList([nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), DropConv2d(c, k, 3)) for c in (n, n + k)])

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


class MostlyDropped(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.stage1 = Stage(16)
        self.trans1 = nn.Sequential(nn.BatchNorm2d(40), nn.ReLU(), nn.Conv2d(40, 40, 1, bias=False), nn.AvgPool2d(2))
        self.stage2 = Stage(40)
        self.trans2 = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(), DropConv2d(64, 64, 1), nn.AvgPool2d(2))
        self.stage3 = Stage(64)
        self.tail = nn.Sequential(nn.BatchNorm2d(88), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten())
        self.fc = nn.Linear(88, 10)

    def forward(self, x):
        x = self.trans1(self.stage1(self.stem(x)))
        x = self.trans2(self.stage2(x))
        return self.fc(self.tail(self.stage3(x)))
