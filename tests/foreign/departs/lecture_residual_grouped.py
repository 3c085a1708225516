"""In the style of a ResNeXt reader: two groups in the wider block."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "GroupNet"
PLANTED = "the first 3×3 of the second block is a grouped convolution of 2 groups"
WHERE = "rblock2"
KINDS = ["group"]


class Transform(nn.Module):
    def __init__(self, width, cardinality):
        super().__init__()
        self.split = nn.Conv2d(width, width, 3, padding=1, groups=cardinality)
        self.merge = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.merge(F.relu(self.split(x))))


class GroupNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a = nn.Conv2d(1, 16, 5)
        self.trans_a = Transform(16, cardinality=1)
        self.conv_b = nn.Conv2d(16, 32, 5)
        self.trans_b = Transform(32, cardinality=2)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = self.trans_a(F.max_pool2d(self.conv_a(x).relu(), 2))
        x = self.trans_b(F.max_pool2d(self.conv_b(x).relu(), 2))
        return self.fc(x.view(x.shape[0], -1))
