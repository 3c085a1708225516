"""In the style of someone used to batch normalisation, who switches biases off by habit, once."""

import torch
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Habit"
PLANTED = "the second 5×5 convolution has no bias"
WHERE = "conv2"
KINDS = ["bias"]


class Res(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv = nn.ModuleList(nn.Conv2d(n, n, 3, padding=1) for _ in range(2))

    def forward(self, x):
        y = self.conv[1](self.conv[0](x).clamp_min(0))
        return (x + y).clamp_min(0)


class Habit(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer0 = nn.Conv2d(1, 16, (5, 5))
        self.layer1 = Res(16)
        self.layer2 = nn.Conv2d(16, 32, (5, 5), bias=False)
        self.layer3 = Res(32)
        self.layer4 = nn.Linear(512, 10)

    def forward(self, x):
        x = self.layer1(torch.max_pool2d(self.layer0(x), 2).clamp_min(0))
        x = self.layer3(torch.max_pool2d(self.layer2(x), 2).clamp_min(0))
        return self.layer4(x.flatten(1))
