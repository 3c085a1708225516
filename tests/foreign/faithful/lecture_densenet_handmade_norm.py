"""In the style of a reader of the BN paper: normalisation by F.batch_norm over own buffers; ReLU written as a product with a mask."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Mnist"


class Normalise(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.register_buffer("mu", torch.zeros(n))
        self.register_buffer("sigma2", torch.ones(n))

    def forward(self, x):
        return F.batch_norm(x, self.mu, self.sigma2, self.scale, self.shift, self.training, 0.1, 1e-5)


def rectified(x):
    return x * (x > 0)


class Grow(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.normalise = Normalise(n)
        self.filters = nn.Conv2d(n, 8, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.filters(rectified(self.normalise(x)))], dim=1)


class Mnist(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)
        widths = range(16, 88, 8)
        self.grow = nn.ModuleList([Grow(n) for n in widths])
        self.between = nn.ModuleDict({str(n): nn.ModuleList([Normalise(n), nn.Conv2d(n, n, 1, bias=False)]) for n in (40, 64)})
        self.last = Normalise(88)
        self.out = nn.Linear(88, 10)

    def forward(self, x):
        x = self.first(x)
        for grow in self.grow:
            if str(x.shape[1]) in self.between:
                normalise, conv = self.between[str(x.shape[1])]
                x = F.avg_pool2d(conv(normalise(x)), 2)
            x = grow(x)
        return self.out(rectified(self.last(x)).sum((2, 3)) / (x.shape[2] * x.shape[3]))
