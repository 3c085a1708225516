"""In the style of the popular CIFAR collection (kuangliu, mmpretrain): ResNet-18's widths behind a CIFAR stem."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet20"
OPTIONS = {}
INPUT = (3, 32, 32)
CALLABLE = "ResNet18()"
PLANTED = "four stages of two units, 64 to 512 channels wide, with projections; the paper's CIFAR network has three of three, 16 to 64"
WHERE = ""
KINDS = ["channels", "width", "stage", "parameters", "11,173,962", "64", "16"]


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(self.expansion * planes),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self, num_blocks, widths, num_classes=10):
        super().__init__()
        self.in_planes = widths[0]
        self.conv1 = nn.Conv2d(3, widths[0], kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        stages = [self._make_layer(width, n, 2 if i else 1) for i, (width, n) in enumerate(zip(widths, num_blocks, strict=True))]
        self.layers = nn.Sequential(*stages)
        self.linear = nn.Linear(widths[-1], num_classes)

    def _make_layer(self, planes, num_blocks, stride):
        layers = []
        for step in [stride, *[1] * (num_blocks - 1)]:
            layers.append(BasicBlock(self.in_planes, planes, step))
            self.in_planes = planes
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layers(out)
        out = F.avg_pool2d(out, out.shape[-1])
        out = out.view(out.size(0), -1)
        return self.linear(out)


def ResNet18():
    return ResNet([2, 2, 2, 2], [64, 128, 256, 512])
