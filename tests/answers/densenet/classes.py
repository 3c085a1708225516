from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseLayer(nn.Module):
    def __init__(self, in_channels: int, k: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, k, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.relu(self.norm(x)))


class DenseBlock(nn.ModuleList):
    def __init__(self, n: int, in_channels: int, k: int):
        super().__init__(DenseLayer(in_channels + i * k, k) for i in range(n))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self:
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class Transition(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, depth: int = 40, k: int = 12, classes: int = 10):
        super().__init__()
        n = (depth - 4) // 3
        c0 = 16
        c1 = c0 + n * k
        c2 = c1 + n * k
        c3 = c2 + n * k
        self.classifier = nn.Linear(c3, classes)
        self.conv0 = nn.Conv2d(3, c0, 3, padding=1, bias=False)
        self.block1 = DenseBlock(n, c0, k)
        self.block2 = DenseBlock(n, c1, k)
        self.block3 = DenseBlock(n, c2, k)
        self.trans1 = Transition(c1)
        self.trans2 = Transition(c2)
        self.norm = nn.BatchNorm2d(c3)

    def features(self, x: Tensor) -> Tensor:
        x = self.trans1(self.block1(self.conv0(x)))
        x = self.trans2(self.block2(x))
        return F.relu(self.norm(self.block3(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean(-1).mean(-1))


def densenet(depth: int, growth_rate: int) -> DenseNet:
    return DenseNet(depth, growth_rate)
