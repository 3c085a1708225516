"""In the style of the popular CIFAR collection (kuangliu, mixup-cifar10): the four ImageNet blocks at k = 12."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "densenet_bc_100_12"
OPTIONS = {}
INPUT = (3, 32, 32)
CALLABLE = "densenet_cifar()"
PLANTED = "four blocks of 6, 12, 24 and 16 layers; DenseNet-BC-100-12 has three of 16"
WHERE = ""
KINDS = ["block", "layers", "parameters", "1,000,618", "four"]


class Bottleneck(nn.Module):
    def __init__(self, in_planes, growth_rate):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, 4 * growth_rate, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth_rate)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return torch.cat([out, x], 1)


class Transition(nn.Module):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        self.bn = nn.BatchNorm2d(in_planes)
        self.conv = nn.Conv2d(in_planes, out_planes, kernel_size=1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, nblocks, growth_rate=12, reduction=0.5, num_classes=10):
        super().__init__()
        num_planes = 2 * growth_rate
        self.conv1 = nn.Conv2d(3, num_planes, kernel_size=3, padding=1, bias=False)
        self.stages = nn.Sequential()
        for number, nblock in enumerate(nblocks):
            for _ in range(nblock):
                self.stages.append(Bottleneck(num_planes, growth_rate))
                num_planes += growth_rate
            if number < len(nblocks) - 1:
                out_planes = math.floor(num_planes * reduction)
                self.stages.append(Transition(num_planes, out_planes))
                num_planes = out_planes
        self.bn = nn.BatchNorm2d(num_planes)
        self.linear = nn.Linear(num_planes, num_classes)

    def forward(self, x):
        out = self.stages(self.conv1(x))
        out = F.relu(self.bn(out))
        out = F.adaptive_avg_pool2d(out, 1)
        return self.linear(out.view(out.size(0), -1))


def densenet_cifar():
    return DenseNet([6, 12, 24, 16], growth_rate=12)
