"""In the style of a CIFAR collection that took the ImageNet layout, four blocks, and only changed the stem and the growth rate."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "densenet_bc_100_12"
OPTIONS = {"depth": 16}
INPUT = (3, 32, 32)
CALLABLE = "densenet_cifar()"
PLANTED = "a fourth dense block behind a third transition: ImageNet's layout at k = 12, a network of no paper"
WHERE = ""
KINDS = ["maps", "missing", "transition", "dense_block", "norm", "pool"]


class DenseBottleneck(nn.Module):
    def __init__(self, planes, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv1 = nn.Conv2d(planes, 4 * growth, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        return torch.cat([x, y], 1)


class Reduce(nn.Module):
    def __init__(self, planes, kept):
        super().__init__()
        self.bn = nn.BatchNorm2d(planes)
        self.conv = nn.Conv2d(planes, kept, kernel_size=1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class FourBlocks(nn.Module):
    def __init__(self, nblocks, growth=12, reduction=0.5, num_classes=10):
        super().__init__()
        self.growth, self.planes = growth, 2 * growth
        self.conv1 = nn.Conv2d(3, self.planes, kernel_size=3, padding=1, bias=False)
        self.dense1 = self._dense(nblocks[0])
        self.trans1 = self._reduce(reduction)
        self.dense2 = self._dense(nblocks[1])
        self.trans2 = self._reduce(reduction)
        self.dense3 = self._dense(nblocks[2])
        self.trans3 = self._reduce(reduction)
        self.dense4 = self._dense(nblocks[3])
        self.bn = nn.BatchNorm2d(self.planes)
        self.linear = nn.Linear(self.planes, num_classes)

    def _dense(self, nblock):
        layers = []
        for _ in range(nblock):
            layers.append(DenseBottleneck(self.planes, self.growth))
            self.planes += self.growth
        return nn.Sequential(*layers)

    def _reduce(self, reduction):
        planes, self.planes = self.planes, math.floor(self.planes * reduction)
        return Reduce(planes, self.planes)

    def forward(self, x):
        out = self.conv1(x)
        out = self.trans1(self.dense1(out))
        out = self.trans2(self.dense2(out))
        out = self.trans3(self.dense3(out))
        out = self.dense4(out)
        out = F.avg_pool2d(F.relu(self.bn(out)), 4)
        out = out.view(out.size(0), -1)
        return self.linear(out)


def densenet_cifar():
    return FourBlocks([2, 2, 2, 2])
