"""In the style of a framework port: in one unit the stride went to the second convolution."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Ported"
PLANTED = "the first unit of conv3_x has its stride of 2 in the second 3×3, not in the first"
WHERE = "conv3_x.0"
KINDS = ["stride"]

UNITS = [(16, 16, (1, 1)), (16, 16, (1, 1)), (16, 32, (1, 2)), (32, 32, (1, 1)), (32, 64, (2, 1)), (64, 64, (1, 1))]


class PortedUnit(nn.Module):
    def __init__(self, before, after, strides):
        super().__init__()
        self.down = 2 in strides
        self.conv1 = nn.Conv2d(before, after, 3, strides[0], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, strides[1], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.down:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, x.size(1)))
        return F.relu(x + y)


class Ported(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.units = nn.Sequential(*[PortedUnit(*row) for row in UNITS])
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.units(self.stem(x)).mean((2, 3)))
