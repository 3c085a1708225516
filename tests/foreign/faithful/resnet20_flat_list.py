"""In the style of a C programmer: one flat list of layers and a counter; option A by a pool of kernel 1 with zeros in front."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Flat"

PLAN = [(3, 16, 1), (16, 16, 1), (16, 16, 1), (16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 32, 1), (32, 32, 1)]
PLAN += [(32, 64, 2), (64, 64, 1), (64, 64, 1), (64, 64, 1)]


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList()
        for i, o, s in PLAN:
            self.layers.append(nn.Conv2d(i, o, 3, s, 1, bias=False))
            self.layers.append(nn.BatchNorm2d(o))
        self.layers.append(nn.Linear(64, 10))

    def forward(self, x):
        i = 0
        x = F.relu(self.layers[i + 1](self.layers[i](x)))
        i += 2
        while i < len(self.layers) - 1:
            y = F.relu(self.layers[i + 1](self.layers[i](x)))
            y = self.layers[i + 3](self.layers[i + 2](y))
            if y.shape != x.shape:
                x = F.avg_pool2d(x, kernel_size=1, stride=2)
                x = torch.cat([torch.zeros_like(x), x], dim=1)
            x = F.relu(x + y)
            i += 4
        x = F.adaptive_avg_pool2d(x, 1)
        return self.layers[i](x[:, :, 0, 0])
