"""In the style of a student who writes the branches from the last to the first and joins them in that order."""

import torch
import torch.nn as nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "DigitNet"


class Mixed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pooled = nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(c, 24, 1))
        self.triple = nn.Sequential(
            nn.Conv2d(c, 16, 1),
            nn.Conv2d(16, 24, 3, padding="same"),
            nn.Conv2d(24, 24, 3, padding="same"),
        )
        self.five = nn.Sequential(nn.Conv2d(c, 16, 1), nn.Conv2d(16, 24, 5, padding="same"))
        self.one = nn.Conv2d(c, 16, 1)

    def forward(self, x):
        return torch.cat((self.pooled(x), self.triple(x), self.five(x), self.one(x)), 1)


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.classify = nn.Linear(88 * 4 * 4, 10)
        self.mixed_b = Mixed(20)
        self.shrink_b = nn.Conv2d(88, 20, 5)
        self.mixed_a = Mixed(10)
        self.shrink_a = nn.Conv2d(1, 10, 5)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images):
        h = self.pool(self.shrink_a(images)).relu()
        h = self.mixed_a(h)
        h = self.pool(self.shrink_b(h)).relu()
        h = self.mixed_b(h)
        return self.classify(h.view(h.size(0), -1))
