"""In the style of a VGG veteran: halving a map means a max pool, at least the first time."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {"num_layers": 2}
INPUT = (1, 28, 28)
CALLABLE = "Veteran"
PLANTED = "the first transition takes the maximum of each 2×2, not the average"
WHERE = "transition_1"
KINDS = ["pool", "max", "average"]


class Veteran(nn.Module):
    def __init__(self, k=8, layers=2):
        super().__init__()
        self.layers = layers
        self.conv = nn.ModuleList([nn.Conv2d(1, 16, 3, 2, 1, bias=False)])
        self.norm = nn.ModuleList()
        c = 16
        for block in range(3):
            for _ in range(layers):
                self.norm.append(nn.BatchNorm2d(c))
                self.conv.append(nn.Conv2d(c, k, 3, 1, 1, bias=False))
                c += k
            self.norm.append(nn.BatchNorm2d(c))
            self.conv.append(nn.Conv2d(c, c, 1, bias=False) if block < 2 else nn.Conv2d(c, 10, 1))
        self.pools = [F.max_pool2d, F.avg_pool2d]

    def forward(self, x):
        x, at = self.conv[0](x), 0
        for block in range(3):
            for _ in range(self.layers):
                x = torch.cat([x, self.conv[at + 1](torch.relu(self.norm[at](x)))], 1)
                at += 1
            if block < 2:
                x = self.pools[block](self.conv[at + 1](self.norm[at](x)), 2)
                at += 1
        x = torch.relu(self.norm[at](x)).mean((2, 3), keepdim=True)
        return self.conv[at + 1](x).flatten(1)
