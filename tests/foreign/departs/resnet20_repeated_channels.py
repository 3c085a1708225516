"""In the style of someone who widens a shortcut by repeating its channels, once with zeros and once without."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Between"
PLANTED = "the second shortcut repeats its channels in place of zeros"
WHERE = "conv4_x.0"
KINDS = ["zero channels", "shortcut"]


class Pair(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(i, o, 3, o // i, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.n2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        return F.relu(self.n2(self.c2(F.relu(self.n1(self.c1(x))))) + self.shortcut(x))

    def shortcut(self, x):
        return x


class Interleaved(Pair):
    def shortcut(self, x):
        x = x[:, :, ::2, ::2]
        return torch.stack([torch.zeros_like(x), x], dim=2).flatten(1, 2)


class Repeated(Pair):
    def __init__(self, i, o):
        super().__init__(i, o)
        self.o = o

    def shortcut(self, x):
        x = F.max_pool2d(x, 1, 2)
        return x.repeat_interleave(2, dim=1)


class Between(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            Pair(16, 16),
            Interleaved(16, 32),
            Repeated(32, 64),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
        )
