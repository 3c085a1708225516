"""In the style of a figure copied into code: Fig. 4b, layer by layer, names from the drawing."""

import torch.nn.functional as F
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 14, "order": "bn_after_addition"}
INPUT = (3, 32, 32)
CALLABLE = "Fig4b"


class UnitFig4b(nn.Module):
    def __init__(self, c_l, c_next):
        super().__init__()
        self.widens = c_l != c_next
        self.weight_1 = nn.Conv2d(c_l, c_next, 3, 2 if self.widens else 1, 1, bias=False)
        self.BN_1 = nn.BatchNorm2d(c_next)
        self.ReLU_1 = nn.ReLU()
        self.weight_2 = nn.Conv2d(c_next, c_next, 3, 1, 1, bias=False)
        self.BN_2 = nn.BatchNorm2d(c_next)
        self.ReLU_2 = nn.ReLU()

    def forward(self, x_l):
        h = F.pad(x_l[..., ::2, ::2], (0, 0, 0, 0, x_l.shape[1], 0)) if self.widens else x_l
        y = self.weight_2(self.ReLU_1(self.BN_1(self.weight_1(x_l))))
        addition = h + y
        return self.ReLU_2(self.BN_2(addition))


class Fig4b(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential()
        self.net.add_module("weight", nn.Conv2d(3, 16, 3, 1, 1, bias=False))
        self.net.add_module("BN", nn.BatchNorm2d(16))
        self.net.add_module("ReLU", nn.ReLU())
        for number, (a, b) in enumerate([(16, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]):
            self.net.add_module(f"unit_{number}", UnitFig4b(a, b))
        self.net.add_module("pool", nn.AvgPool2d((8, 8)))
        self.net.add_module("flat", nn.Flatten())
        self.net.add_module("fc", nn.Linear(64, 10))

    def forward(self, x):
        return self.net(x)
