"""In the style of a latency tuner: a strided 1×1 is cheaper than a 1×1 and a pool."""

import torch
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 10}
INPUT = (3, 32, 32)
CALLABLE = "Tuner"
PLANTED = "the first transition is a 1×1 of stride 2, without the 2×2 average pool"
WHERE = "transition_1"
KINDS = ["pool", "stride"]


class Tuner(nn.Module):
    def __init__(self, k=12):
        super().__init__()
        widths = [16, 28, 40, 40, 52, 64, 64, 76, 88]
        self.begin = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(w) for w in widths])
        self.convs = nn.ModuleList()
        for index, w in enumerate(widths[:-1]):
            if index == 2:
                self.convs.append(nn.Conv2d(w, w, 1, stride=2, bias=False))
            elif index == 5:
                self.convs.append(nn.Sequential(nn.Conv2d(w, w, 1, bias=False), nn.AvgPool2d(2)))
            else:
                self.convs.append(nn.Conv2d(w, k, 3, padding=1, bias=False))
        self.end = nn.Linear(88, 10)

    def forward(self, x):
        x = self.begin(x)
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=False)):
            new = conv(norm(x).relu())
            x = new if index in (2, 5) else torch.cat([x, new], 1)
        return self.end(self.norms[-1](x).relu().mean((2, 3)))
