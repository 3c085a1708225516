"""In the style of the Lua code, whose stem has 2k channels for every network."""

import torch
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 10}
INPUT = (3, 32, 32)
CALLABLE = "FromLua(10, 12)"
PLANTED = "the stem has 2k = 24 channels; the paper's has 16 outside of BC"
WHERE = "conv1"
KINDS = ["channels", "maps", "24"]


class Concat(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return torch.cat([x, self.module(x)], 1)


def bn_relu_conv(n_in, n_out, k):
    return nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU(inplace=True), nn.Conv2d(n_in, n_out, k, 1, k // 2, bias=False))


class FromLua(nn.Module):
    def __init__(self, depth, growth):
        super().__init__()
        n = (depth - 4) // 3
        channels = 2 * growth
        self.model = nn.Sequential(nn.Conv2d(3, channels, 3, 1, 1, bias=False))
        for block in (1, 2, 3):
            for _ in range(n):
                self.model.append(Concat(bn_relu_conv(channels, growth, 3)))
                channels += growth
            if block < 3:
                self.model.append(bn_relu_conv(channels, channels, 1)).append(nn.AvgPool2d(2))
        self.model.append(nn.BatchNorm2d(channels)).append(nn.ReLU(True)).append(nn.AvgPool2d(8))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        return self.fc(self.model(x).view(x.size(0), -1))
