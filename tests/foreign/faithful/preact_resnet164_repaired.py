"""In the style of the popular pre-activation file, repaired: the first unit starts from an activated stem, BN and ReLU before the pool."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 20}
INPUT = (3, 32, 32)
CALLABLE = "PreActNet([2, 2, 2])"


class PreActBottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_planes, planes, stride=1, activated=False):
        super().__init__()
        self.bn1 = None if activated else nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, self.expansion * planes, kernel_size=1, bias=False)
        if in_planes != self.expansion * planes:
            self.shortcut = nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False)

    def forward(self, x):
        out = x if self.bn1 is None else F.relu(self.bn1(x))
        shortcut = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv1(out)
        out = self.conv2(F.relu(self.bn2(out)))
        out = self.conv3(F.relu(self.bn3(out)))
        return out + shortcut


class PreActNet(nn.Module):
    def __init__(self, num_blocks, num_classes=10):
        super().__init__()
        self.in_planes = 16
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._make_layer(16, num_blocks[0], 1, activated=True)
        self.layer2 = self._make_layer(32, num_blocks[1], 2)
        self.layer3 = self._make_layer(64, num_blocks[2], 2)
        self.bn = nn.BatchNorm2d(256)
        self.linear = nn.Linear(256, num_classes)

    def _make_layer(self, planes, num_blocks, stride, activated=False):
        layers = [PreActBottleneck(self.in_planes, planes, stride, activated)]
        self.in_planes = planes * PreActBottleneck.expansion
        layers += [PreActBottleneck(self.in_planes, planes) for _ in range(num_blocks - 1)]
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.relu(self.bn(out))
        out = F.avg_pool2d(out, 8).view(out.size(0), -1)
        return self.linear(out)
