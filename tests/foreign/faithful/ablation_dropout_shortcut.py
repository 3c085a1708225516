"""In the style of a regularisation paper's supplement: F.dropout on the identity, told about training."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "dropout"}
INPUT = (3, 32, 32)
CALLABLE = "DropSkip(depth=8, p=0.5)"


class DropSkip(nn.Module):
    def __init__(self, depth, p, num_classes=10):
        super().__init__()
        self.p, self.n = p, (depth - 2) // 6
        self.conv0 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn0 = nn.BatchNorm2d(16)
        previous = 16
        for i, width in enumerate([16] * self.n + [32] * self.n + [64] * self.n):
            self.add_module(f"conv{i}a", nn.Conv2d(previous, width, 3, stride=width // previous, padding=1, bias=False))
            self.add_module(f"bn{i}a", nn.BatchNorm2d(width))
            self.add_module(f"conv{i}b", nn.Conv2d(width, width, 3, padding=1, bias=False))
            self.add_module(f"bn{i}b", nn.BatchNorm2d(width))
            previous = width
        self.linear = nn.Linear(previous, num_classes)

    def unit(self, i, x):
        name = self.__getattr__
        fx = F.relu(name(f"bn{i}a")(name(f"conv{i}a")(x)), inplace=True)
        fx = name(f"bn{i}b")(name(f"conv{i}b")(fx))
        if fx.shape != x.shape:
            half = (fx.size(1) - x.size(1)) // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return F.relu(F.dropout(x, p=self.p, training=self.training) + fx)

    def forward(self, x):
        x = F.relu(self.bn0(self.conv0(x)), inplace=True)
        for i in range(3 * self.n):
            x = self.unit(i, x)
        return self.linear(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))
