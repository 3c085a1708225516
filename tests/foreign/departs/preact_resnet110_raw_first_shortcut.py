"""In the style of the popular pre-activation file: the stem is a bare convolution, the first unit activates its own branch only."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "PreActNet"
PLANTED = "the shortcut of the first unit carries the raw convolution; the paper activates before the paths split"
WHERE = "conv2_x.0"
KINDS = ["shortcut", "activat", "raw", "ReLU", "BN"]


class PreAct(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.pad = planes - in_planes

    def forward(self, x):
        out = F.relu(self.bn1(x))
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.pad)) if self.pad else x
        out = self.conv1(out)
        out = self.conv2(F.relu(self.bn2(out)))
        return out + shortcut


class PreActNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
        self.layer1 = nn.Sequential(PreAct(16, 16), PreAct(16, 16))
        self.layer2 = nn.Sequential(PreAct(16, 32, 2), PreAct(32, 32))
        self.layer3 = nn.Sequential(PreAct(32, 64, 2), PreAct(64, 64))
        self.bn = nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        out = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        out = F.relu(self.bn(out))
        return self.linear(F.avg_pool2d(out, 8).flatten(1))
