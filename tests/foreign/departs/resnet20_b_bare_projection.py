"""In the style of a table of shortcuts in which one row stops short."""

import torch
from torch import nn

AGAINST = "resnet20@b"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Rows"
PLANTED = "no batch normalisation behind the projection of conv4_x"
WHERE = "conv4_x.0"
KINDS = ["BN", "batch", "norm"]


def conv(i, o, k, s=1):
    return nn.Conv2d(i, o, k, s, k // 2, bias=False)


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        bn = nn.BatchNorm2d
        self.stem = nn.Sequential(conv(3, 16, 3), bn(16), nn.ReLU())
        self.main = nn.ModuleList(
            [
                nn.Sequential(conv(16, 16, 3), bn(16), nn.ReLU(), conv(16, 16, 3), bn(16)),
                nn.Sequential(conv(16, 32, 3, 2), bn(32), nn.ReLU(), conv(32, 32, 3), bn(32)),
                nn.Sequential(conv(32, 64, 3, 2), bn(64), nn.ReLU(), conv(64, 64, 3), bn(64)),
            ]
        )
        self.side = nn.ModuleList([nn.Sequential(), nn.Sequential(conv(16, 32, 1, 2), bn(32)), nn.Sequential(conv(32, 64, 1, 2))])
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        for main, side in zip(self.main, self.side, strict=True):
            x = torch.relu(main(x) + side(x))
        return self.fc(x.mean((2, 3)))
