"""In the style of a condensed network: grouped 3×3 convolutions in the last, most expensive block."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "densenet121"
OPTIONS = {"layers": (1, 1, 1, 2), "growth_rate": 8, "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Condensed"
PLANTED = "the 3×3 of the first layer of the last block has 4 groups"
WHERE = "dense_block_4.0"
KINDS = ["group"]


class Layer(nn.Module):
    def __init__(self, n, k=8, groups=1):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(n), nn.Conv2d(n, 4 * k, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * k), nn.Conv2d(4 * k, k, 3, padding=1, groups=groups, bias=False)

    def forward(self, x):
        y = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, y], dim=1)


class Pooling(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(n), nn.Conv2d(n, n // 2, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2, 2)


class Condensed(nn.Module):
    def __init__(self):
        super().__init__()
        self.init_conv, self.init_norm = nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16)
        self.body = nn.Sequential(Layer(16), Pooling(24), Layer(12), Pooling(20), Layer(10), Pooling(18), Layer(9, groups=4), Layer(17))
        self.norm, self.out = nn.BatchNorm2d(25), nn.Linear(25, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.init_norm(self.init_conv(x))), 3, 2, 1)
        x = F.relu(self.norm(self.body(x)))
        return self.out(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))
