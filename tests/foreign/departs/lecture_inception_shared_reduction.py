"""In the style of an optimiser: the two reductions of the second module have the same shape, so one of them is spared."""

import torch
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Spared"
PLANTED = "in the second module the 3×3 branch starts from the 1×1 of the 5×5 branch instead of from its own"
WHERE = "incep2"
KINDS = ["1×1", "shared", "twice", "branch3x3", "missing", "reduction"]


class Spared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_in = nn.Conv2d(1, 10, 5)
        self.a1, self.a5r, self.a5 = nn.Conv2d(10, 16, 1), nn.Conv2d(10, 16, 1), nn.Conv2d(16, 24, 5, padding=2)
        self.a3r, self.a3, self.a33 = nn.Conv2d(10, 16, 1), nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1)
        self.ap = nn.Conv2d(10, 24, 1)
        self.conv_mid = nn.Conv2d(88, 20, 5)
        self.b1, self.b5r, self.b5 = nn.Conv2d(20, 16, 1), nn.Conv2d(20, 16, 1), nn.Conv2d(16, 24, 5, padding=2)
        self.b3, self.b33 = nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1)
        self.bp = nn.Conv2d(20, 24, 1)
        self.shrink, self.smooth = nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), nn.AvgPool2d(3, 1, 1)
        self.out = nn.Linear(1408, 10)

    def module_a(self, x):
        five = self.a5(self.a5r(x))
        three = self.a33(self.a3(self.a3r(x)))
        return torch.cat([self.a1(x), five, three, self.ap(self.smooth(x))], 1)

    def module_b(self, x):
        reduced = self.b5r(x)
        five = self.b5(reduced)
        three = self.b33(self.b3(reduced))
        return torch.cat([self.b1(x), five, three, self.bp(self.smooth(x))], 1)

    def forward(self, x):
        x = self.module_a(self.shrink(self.conv_in(x)))
        x = self.module_b(self.shrink(self.conv_mid(x)))
        return self.out(x.flatten(1))
