"""In the style of a merge of two code bases: one stage has its stride in the 3×3, the others in the 1×1."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Merged"
PLANTED = "the first unit of conv4_x has its stride in the 3×3, not in the first 1×1"
WHERE = "conv4_x.0"
KINDS = ["stride"]


class Bottleneck(nn.Module):
    def __init__(self, n_in, n, stride_1x1=1, stride_3x3=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n, 1, stride_1x1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.bn2 = nn.Conv2d(n, n, 3, stride_3x3, 1, bias=False), nn.BatchNorm2d(n)
        self.conv3, self.bn3 = nn.Conv2d(n, 4 * n, 1, bias=False), nn.BatchNorm2d(4 * n)
        self.conv4, self.bn4 = nn.Conv2d(n_in, 4 * n, 1, stride_1x1 * stride_3x3, bias=False), nn.BatchNorm2d(4 * n)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.bn4(self.conv4(x)))


class Merged(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.b2 = Bottleneck(64, 64)
        self.b3 = Bottleneck(256, 128, stride_1x1=2)
        self.b4 = Bottleneck(512, 256, stride_3x3=2)
        self.b5 = Bottleneck(1024, 512, stride_1x1=2)
        self.fc = nn.Linear(2048, 10)

    def forward(self, x):
        return self.fc(self.b5(self.b4(self.b3(self.b2(self.stem(x))))).mean((2, 3)))
