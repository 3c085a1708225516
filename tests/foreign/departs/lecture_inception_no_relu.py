"""In the style of a half-refactored script: the second activation got lost in the move."""

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Refactored"
PLANTED = "no ReLU behind the second 5×5 convolution and its pool"
WHERE = "conv2"
KINDS = ["ReLU", "activation"]


class IncA(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.x1 = nn.Conv2d(channels, 16, 1)
        self.x5 = nn.ModuleList([nn.Conv2d(channels, 16, 1), nn.Conv2d(16, 24, 5, padding=2)])
        self.x3 = nn.ModuleList([nn.Conv2d(channels, 16, 1), nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1)])
        self.xp = nn.Conv2d(channels, 24, 1)

    def forward(self, x):
        five, three = x, x
        for layer in self.x5:
            five = layer(five)
        for layer in self.x3:
            three = layer(three)
        pool = self.xp(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat((self.x1(x), five, three, pool), dim=1)


class Refactored(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a, self.inc_a = nn.Conv2d(1, 10, kernel_size=5), IncA(10)
        self.conv_b, self.inc_b = nn.Conv2d(88, 20, kernel_size=5), IncA(20)
        self.linear = nn.Linear(1408, 10)

    def features(self, x):
        x = F.max_pool2d(self.conv_a(x), 2)
        x = self.inc_a(F.relu(x))
        x = F.max_pool2d(self.conv_b(x), 2)
        return self.inc_b(x)

    def forward(self, x):
        return self.linear(self.features(x).view(x.size(0), -1))
