"""In the style of the all-convolutional net: one pool is replaced by a stride, sizes and parameters stay."""

import torch
import torch.nn as nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Strided"
PLANTED = "the second 5×5 has stride 2 in place of the 2×2 max pool behind it"
WHERE = "conv2"
KINDS = ["stride", "pool"]


class R(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.u, self.v = nn.Conv2d(n, n, 3, 1, 1), nn.Conv2d(n, n, 3, 1, 1)

    def forward(self, x):
        return torch.relu(torch.add(self.v(torch.relu(self.u(x))), x))


class Strided(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.ra = nn.Conv2d(1, 16, 5), R(16)
        self.b, self.rb = nn.Conv2d(16, 32, 5, stride=2), R(32)
        self.z = nn.Linear(512, 10)

    def forward(self, x):
        x = self.ra(torch.max_pool2d(torch.relu(self.a(x)), 2))
        x = self.rb(torch.relu(self.b(x)))
        return self.z(x.flatten(1))
