"""In the style of weights that came from another framework: "SAME" for stride 2 pads on the right and below only."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Converted"
PLANTED = "the strided 3×3 of conv4_x pads one pixel on the right and below only; counts and shapes are the same"
WHERE = "conv4_x.0"
KINDS = ["padding", "pad"]


class SameConv(nn.Module):
    def __init__(self, i, o, stride, pads):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(o, i, 3, 3) * (2 / (9 * o)) ** 0.5)
        self.bn, self.stride, self.pads = nn.BatchNorm2d(o), stride, pads

    def forward(self, x):
        return self.bn(F.conv2d(F.pad(x, self.pads), self.kernel, stride=self.stride))


BOTH, FAR = (1, 1, 1, 1), (0, 1, 0, 1)


class Converted(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_init = SameConv(3, 16, 1, BOTH)
        self.block0_a, self.block0_b = SameConv(16, 16, 1, BOTH), SameConv(16, 16, 1, BOTH)
        self.block1_a, self.block1_b = SameConv(16, 32, 2, BOTH), SameConv(32, 32, 1, BOTH)
        self.block2_a, self.block2_b = SameConv(32, 64, 2, FAR), SameConv(64, 64, 1, BOTH)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv_init(x))
        x = F.relu(x + self.block0_b(F.relu(self.block0_a(x))))
        y = self.block1_b(F.relu(self.block1_a(x)))
        x = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 16)) + y)
        y = self.block2_b(F.relu(self.block2_a(x)))
        x = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 32)) + y)
        return self.head(torch.mean(x, dim=(2, 3)))
