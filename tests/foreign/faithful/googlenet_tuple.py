"""In the style of a Caffe prototxt reader: rows of numbers, heads returned as a tuple while training."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "googlenet"
OPTIONS = {"classes": 20}
INPUT = (3, 224, 224)
CALLABLE = "GoogleNet(20)"

ROWS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def conv(i, o, k, s=1):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2), nn.ReLU(inplace=True))


class Module(nn.Module):
    def __init__(self, i, a, b1, b2, c1, c2, d):
        super().__init__()
        self.a = conv(i, a, 1)
        self.b = nn.Sequential(conv(i, b1, 1), conv(b1, b2, 3))
        self.c = nn.Sequential(conv(i, c1, 1), conv(c1, c2, 5))
        self.d = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(i, d, 1))

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


class Head(nn.Sequential):
    def __init__(self, i, classes):
        super().__init__(nn.AvgPool2d(5, 3), conv(i, 128, 1), nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(0.7))
        self.append(nn.Linear(1024, classes))


class GoogleNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.stem1, self.stem2 = conv(3, 64, 7, 2), nn.Sequential(conv(64, 64, 1), conv(64, 192, 3))
        self.lrn = nn.LocalResponseNorm(5, alpha=0.0001, beta=0.75)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inceptions = nn.ModuleDict({name: Module(*row) for name, row in ROWS.items()})
        self.side_a, self.side_d = Head(512, classes), Head(528, classes)
        self.drop, self.fc = nn.Dropout(0.4), nn.Linear(1024, classes)

    def forward(self, x):
        x = self.lrn(self.pool(self.stem1(x)))
        x = self.pool(self.lrn(self.stem2(x)))
        sides = ()
        for name, module in self.inceptions.items():
            if name in ("4a", "5a"):
                x = self.pool(x)
            x = module(x)
            if self.training and name == "4a":
                sides += (self.side_a(x),)
            elif self.training and name == "4d":
                sides += (self.side_d(x),)
        x = self.fc(self.drop(F.avg_pool2d(x, 7).flatten(1)))
        return (x, *sides) if self.training else x
