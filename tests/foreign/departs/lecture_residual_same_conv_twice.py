"""In the style of a tired student: conv_b is declared, conv_a is called twice."""

import torch
import torch.nn as nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Tired"
PLANTED = "the first block uses its first 3×3 twice, its second one never"
WHERE = "rblock1"
KINDS = ["twice", "shared", "never used", "unused", "gradient"]


class BlockOne(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a = nn.Conv2d(16, 16, 3, padding=1)
        self.conv_b = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.conv_a(x))
        y = self.conv_a(y)
        return torch.relu(x + y)


class BlockTwo(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a = nn.Conv2d(32, 32, 3, padding=1)
        self.conv_b = nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.conv_a(x))
        y = self.conv_b(y)
        return torch.relu(x + y)


class Tired(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.one = nn.Conv2d(1, 16, 5), BlockOne()
        self.conv2, self.two = nn.Conv2d(16, 32, 5), BlockTwo()
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = self.one(nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2))
        x = self.two(nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2))
        return self.fc(x.flatten(1))
