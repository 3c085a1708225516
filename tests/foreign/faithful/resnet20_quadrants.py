"""In the style of a puzzle lover: blocks in a dictionary in reverse order, the skipped pixels dropped by a reshape, ReLU by clamp."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Quadrants(2)"


def every_second(x):
    """The upper left pixel of each 2×2 square."""
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2)[:, :, :, 0, :, 0]


def widen(x, channels):
    out = x.new_zeros(x.shape[0], channels, *x.shape[2:])
    out[:, : x.shape[1]] = x
    return out


def cbn(i, o, s):
    return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o))


class Quadrants(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.logits = nn.Linear(64, 10)
        self.pairs = nn.ModuleDict()
        for stage in (3, 2, 1):
            for block in range(n - 1, -1, -1):
                o = 8 * 2**stage
                i, s = (o // 2, 2) if block == 0 and stage > 1 else (o, 1)
                self.pairs[f"{stage}{block}"] = nn.ModuleList([cbn(i, o, s), cbn(o, o, 1)])
        self.stem = cbn(3, 16, 1)

    def forward(self, x):
        x = self.stem(x).clamp(min=0)
        for name in sorted(self.pairs):
            first, second = self.pairs[name]
            y = second(first(x).clamp(min=0))
            if y.shape[1] > x.shape[1]:
                x = widen(every_second(x), y.shape[1])
            x = torch.add(y, x).clamp(min=0)
        return self.logits(torch.einsum("nchw->nc", x) / x[0, 0].numel())
