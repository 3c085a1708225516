"""In the style of a lab partner who typed the second module from memory."""

import torch
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "LabNet"
PLANTED = "the pool branch of the second module takes the maximum, where the lecture takes the average"
WHERE = "incep2"
KINDS = ["pool", "max", "average"]


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(10, 16, 1)
        self.b = nn.Sequential(nn.Conv2d(10, 16, 1), nn.Conv2d(16, 24, 5, padding=2))
        self.c = nn.Sequential(nn.Conv2d(10, 16, 1), nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1))
        self.d = nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(10, 24, 1))

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(20, 16, 1)
        self.b = nn.Sequential(nn.Conv2d(20, 16, 1), nn.Conv2d(16, 24, 5, padding=2))
        self.c = nn.Sequential(nn.Conv2d(20, 16, 1), nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1))
        self.d = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(20, 24, 1))

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


class LabNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_one, self.first = nn.Conv2d(1, 10, 5), First()
        self.conv_two, self.second = nn.Conv2d(10 + 78, 20, 5), Second()
        self.out = nn.Linear(1408, 10)

    def forward(self, x):
        x = self.first(torch.relu(torch.max_pool2d(self.conv_one(x), 2)))
        x = self.second(torch.relu(torch.max_pool2d(self.conv_two(x), 2)))
        return self.out(torch.flatten(x, 1))
