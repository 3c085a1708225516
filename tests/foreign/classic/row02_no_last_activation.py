"""In the style of the popular CIFAR collection (kuangliu): pre-activation units, and the last sum goes into the pool as it is."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 20}
INPUT = (3, 32, 32)
CALLABLE = "PreActResNet([2, 2, 2])"
PLANTED = "no BN and ReLU behind the last unit"
WHERE = "activation_last"
KINDS = ["BN", "ReLU", "activation", "norm"]


class PreActBottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_planes, planes, stride, first):
        super().__init__()
        if not first:
            self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, self.expansion * planes, kernel_size=1, bias=False)
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False))

    def forward(self, x):
        out = F.relu(self.bn1(x)) if hasattr(self, "bn1") else x
        shortcut = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv1(out)
        out = self.conv2(F.relu(self.bn2(out)))
        out = self.conv3(F.relu(self.bn3(out)))
        out += shortcut
        return out


class PreActResNet(nn.Module):
    def __init__(self, num_blocks, num_classes=10):
        super().__init__()
        self.in_planes = 16
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._make_layer(16, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(32, num_blocks[1], stride=2)
        self.layer3 = self._make_layer(64, num_blocks[2], stride=2)
        self.linear = nn.Linear(64 * PreActBottleneck.expansion, num_classes)

    def _make_layer(self, planes, num_blocks, stride):
        layers = []
        for step in [stride, *[1] * (num_blocks - 1)]:
            layers.append(PreActBottleneck(self.in_planes, planes, step, first=self.in_planes == 16))
            self.in_planes = planes * PreActBottleneck.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = F.avg_pool2d(out, 8)
        out = out.view(out.size(0), -1)
        return self.linear(out)
