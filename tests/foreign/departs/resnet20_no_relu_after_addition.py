"""In the style of a pre-activation convert with one foot in the old design."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Halfway"
PLANTED = "no ReLU behind the addition of the first unit of conv3_x"
WHERE = "conv3_x.0"
KINDS = ["ReLU", "activation"]


class Same(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(n, n, 3, 1, 1, bias=False), nn.BatchNorm2d(n)
        self.c2, self.n2 = nn.Conv2d(n, n, 3, 1, 1, bias=False), nn.BatchNorm2d(n)

    def forward(self, x):
        return F.relu(x + self.n2(self.c2(F.relu(self.n1(self.c1(x))))))


class Double(nn.Module):
    def __init__(self, n, close):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(n, 2 * n, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * n)
        self.c2, self.n2 = nn.Conv2d(2 * n, 2 * n, 3, 1, 1, bias=False), nn.BatchNorm2d(2 * n)
        self.close = close

    def forward(self, x):
        y = self.n2(self.c2(F.relu(self.n1(self.c1(x)))))
        return self.close(F.pad(F.avg_pool2d(x, 1, 2), (0, 0, 0, 0, 0, x.shape[1])) + y)


class Halfway(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.trunk = nn.Sequential(Same(16), Same(16), Double(16, nn.Identity()), Same(32), Double(32, nn.ReLU()), Same(64))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.trunk(F.relu(self.norm(self.conv(x)))).mean((2, 3)))
