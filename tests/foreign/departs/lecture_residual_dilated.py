"""In the style of a segmentation person: a dilated convolution with the padding that fits it."""

import torch
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Atrous"
PLANTED = "the second 3×3 of the second block has dilation 2 (and padding 2)"
WHERE = "rblock2"
KINDS = ["dilation", "dilated"]


class AtrousBlock(nn.Module):
    def __init__(self, ch, rates=(1, 1)):
        super().__init__()
        self.c1 = nn.Conv2d(ch, ch, 3, padding="same", dilation=rates[0])
        self.c2 = nn.Conv2d(ch, ch, 3, padding="same", dilation=rates[1])

    def forward(self, x):
        return torch.relu(x + self.c2(torch.relu(self.c1(x))))


class Atrous(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(True), nn.MaxPool2d(2))
        self.block1 = AtrousBlock(16)
        self.down2 = nn.Sequential(nn.Conv2d(16, 32, 5), nn.ReLU(True), nn.MaxPool2d(2))
        self.block2 = AtrousBlock(32, rates=(1, 2))
        self.head = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        x = self.block2(self.down2(self.block1(self.down1(x))))
        return self.head(x.flatten(1))
