"""In the style of a port that took its pool from VGG."""

import torch
import torch.nn as nn

AGAINST = "resnet18"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "VggPool"
PLANTED = "the pool behind conv1 is 2×2, the paper's 3×3 (between conv1 and conv2_x)"
WHERE = ""
KINDS = ["pool", "kernel", "2×2", "3×3"]


class Two(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        s = 1 if i == o else 2
        self.w1, self.b1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.w2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        if s == 2:
            self.w3, self.b3 = nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        y = self.b2(self.w2(self.b1(self.w1(x)).relu()))
        if hasattr(self, "w3"):
            x = self.b3(self.w3(x))
        return (x + y).relu()


class VggPool(nn.Module):
    def __init__(self):
        super().__init__()
        self.w0, self.b0 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.stages = nn.Sequential(Two(64, 64), Two(64, 128), Two(128, 256), Two(256, 512))
        self.top = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.max_pool2d(self.b0(self.w0(x)).relu(), 2, 2)
        return self.top(self.stages(x).mean((2, 3)))
