"""In the style of a list of stage sizes typed from another network."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Sizes([2, 3, 2])"
PLANTED = "the second stage has three units, one too many"
WHERE = "conv3_x"
KINDS = ["extra", "unit", "block", "too many", "more"]


class ResidualUnit(nn.Module):
    def __init__(self, fan_in, width, stride):
        super().__init__()
        self.weights = nn.ModuleList([nn.Conv2d(fan_in, width, 3, stride, 1, bias=False), nn.Conv2d(width, width, 3, 1, 1, bias=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.stride = stride

    def forward(self, x):
        y = torch.relu(self.norms[0](self.weights[0](x)))
        y = self.norms[1](self.weights[1](y))
        if self.stride == 2:
            x = x[:, :, ::2, ::2]
            x = torch.cat([x, torch.zeros_like(x)], 1)
        return torch.relu(y + x)


class Sizes(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        fan_in, units = 16, []
        for stage, size in enumerate(sizes):
            for unit in range(size):
                units.append(ResidualUnit(fan_in, 16 * 2**stage, 2 if stage and not unit else 1))
                fan_in = 16 * 2**stage
        self.units, self.fc = nn.ModuleList(units), nn.Linear(fan_in, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        for unit in self.units:
            x = unit(x)
        return self.fc(x.mean((2, 3)))
