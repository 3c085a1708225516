"""In the style of a feature list whose last concatenation takes the newest maps only."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Forgetful"
PLANTED = "the last layer of the last block hands on its 8 new maps without its input"
WHERE = "dense_block_3.2"
KINDS = ["concat", "input", "channels", "maps"]


def layer(c):
    return nn.ModuleList([nn.BatchNorm2d(c), nn.Conv2d(c, 8, 3, padding=1, bias=False)])


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)
        self.blocks = nn.ModuleList([nn.ModuleList(layer(c + 8 * i) for i in range(3)) for c in (16, 40, 64)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(40), nn.BatchNorm2d(64)])
        self.squeezes = nn.ModuleList([nn.Conv2d(40, 40, 1, bias=False), nn.Conv2d(64, 64, 1, bias=False)])
        self.norm, self.linear = nn.BatchNorm2d(8), nn.Linear(8, 10)

    def forward(self, x):
        x = self.conv0(x)
        for number, block in enumerate(self.blocks):
            maps = [x]
            for norm, conv in block:
                maps.append(conv(F.relu(norm(torch.cat(maps, 1)))))
            if number == 2:
                break
            x = F.avg_pool2d(self.squeezes[number](self.norms[number](torch.cat(maps, 1))), 2)
        x = maps[-1]
        return self.linear(F.relu(self.norm(x)).mean([2, 3]))
