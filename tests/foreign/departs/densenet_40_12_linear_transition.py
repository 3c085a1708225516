"""In the style of a literal reader: the text says BN, 1×1, pool, and so does one transition; the other has its ReLU."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 10}
INPUT = (3, 32, 32)
CALLABLE = "Literal"
PLANTED = "no ReLU behind the normalisation of the second transition"
WHERE = "transition_2"
KINDS = ["ReLU", "activation"]


class L(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(n), nn.Conv2d(n, 12, 3, 1, 1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(F.relu(self.bn(x)))], 1)


class Literal(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.l1, self.l2 = L(16), L(28)
        self.t1_bn, self.t1_conv = nn.BatchNorm2d(40), nn.Conv2d(40, 40, 1, bias=False)
        self.l3, self.l4 = L(40), L(52)
        self.t2_bn, self.t2_conv = nn.BatchNorm2d(64), nn.Conv2d(64, 64, 1, bias=False)
        self.l5, self.l6 = L(64), L(76)
        self.bn, self.fc = nn.BatchNorm2d(88), nn.Linear(88, 10)

    def forward(self, x):
        x = self.l2(self.l1(self.conv(x)))
        x = F.avg_pool2d(self.t1_conv(F.relu(self.t1_bn(x))), 2)
        x = self.l4(self.l3(x))
        x = F.avg_pool2d(self.t2_conv(self.t2_bn(x)), 2)
        x = self.l6(self.l5(x))
        return self.fc(F.relu(self.bn(x)).mean((2, 3)))
