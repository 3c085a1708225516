"""In the style of copy and paste: the shortcut is a copy of the convolution above it, size included."""

import torch
from torch import nn

AGAINST = "lecture_residual_conv"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Pasted"
PLANTED = "the shortcut of the first block is a 3×3 convolution, the exercise's is 1×1"
WHERE = "rblock1"
KINDS = ["kernel", "3×3", "1×1"]


class ProjectedBlock(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(c, c, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(c, c, kernel_size=k, padding=k // 2)

    def forward(self, x):
        return torch.relu(self.conv3(x) + self.conv2(torch.relu(self.conv1(x))))


class Pasted(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            ProjectedBlock(16, k=3),
            nn.Conv2d(16, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            ProjectedBlock(32, k=1),
            nn.Flatten(),
            nn.Linear(512, 10),
        )

    def forward(self, x):
        return self.net(x)
