"""In the style of "the shortcut takes x": true for identities, not for projections."""

import torch.nn.functional as F
from torch import nn

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 20}
INPUT = (3, 32, 32)
CALLABLE = "Raw"
PLANTED = "the projection of the first unit of conv4_x sees the unit's raw input, not the activated one"
WHERE = "conv4_x.0"
KINDS = ["projection", "shortcut", "activat", "raw"]


class Wide(nn.Module):
    """The first unit of a stage: bottleneck and projection."""

    def __init__(self, i, w, stride, norm=True, feed="activated"):
        super().__init__()
        self.feed = feed
        self.n0 = nn.BatchNorm2d(i) if norm else None
        self.c1, self.n1 = nn.Conv2d(i, w, 1, stride, bias=False), nn.BatchNorm2d(w)
        self.c2, self.n2 = nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w)
        self.c3, self.cs = nn.Conv2d(w, 4 * w, 1, bias=False), nn.Conv2d(i, 4 * w, 1, stride, bias=False)

    def forward(self, x):
        a = F.relu(self.n0(x)) if self.n0 is not None else x
        y = self.c3(F.relu(self.n2(self.c2(F.relu(self.n1(self.c1(a)))))))
        return y + self.cs(a if self.feed == "activated" else x)


class Deep(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.n0, self.c1 = nn.BatchNorm2d(4 * w), nn.Conv2d(4 * w, w, 1, bias=False)
        self.n1, self.c2 = nn.BatchNorm2d(w), nn.Conv2d(w, w, 3, 1, 1, bias=False)
        self.n2, self.c3 = nn.BatchNorm2d(w), nn.Conv2d(w, 4 * w, 1, bias=False)

    def forward(self, x):
        y = self.c1(F.relu(self.n0(x)))
        y = self.c2(F.relu(self.n1(y)))
        return x + self.c3(F.relu(self.n2(y)))


class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.n = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.one = nn.Sequential(Wide(16, 16, 1, norm=False), Deep(16))
        self.two = nn.Sequential(Wide(64, 32, 2), Deep(32))
        self.three = nn.Sequential(Wide(128, 64, 2, feed="input"), Deep(64))
        self.last, self.fc = nn.BatchNorm2d(256), nn.Linear(256, 10)

    def forward(self, x):
        x = self.three(self.two(self.one(F.relu(self.n(self.c(x))))))
        return self.fc(F.relu(self.last(x)).mean((2, 3)))
