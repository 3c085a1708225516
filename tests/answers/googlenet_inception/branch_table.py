# 四条支路写成一张表；ReLU 在拼接之后一起做（逐元素，所以一样）
import torch
from torch import nn


class Inception(nn.Module):
    def __init__(self, in_channels, *widths):
        super().__init__()
        a, b1, b2, c1, c2, d = widths
        table = {
            "chi": [("max", 3), (d, 1)],
            "wu": [(c1, 1), (c2, 5)],
            "san": [(b1, 1), (b2, 3)],
            "yi": [(a, 1)],
        }
        self.zhilu = nn.ModuleDict({k: self.build(in_channels, rows) for k, rows in table.items()})

    @staticmethod
    def build(c, rows):
        layers = []
        for what, k in rows:
            if what == "max":
                layers += [nn.MaxPool2d(k, 1, k // 2)]
            else:
                layers += [nn.Conv2d(c, what, k, 1, k // 2), nn.ReLU()]
                c = what
        return nn.Sequential(*layers[:-1])

    def forward(self, x):
        return torch.cat([z(x) for z in self.zhilu.values()], dim=-3).clamp_min(0)
