"""In the style of two transitions written one after the other, the second from the basic form."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 16, "bottleneck": True, "compression": 0.5}
INPUT = (3, 32, 32)
CALLABLE = "OnceCompressed"
PLANTED = "the second transition keeps all its channels, the paper's keeps half (θ = 0.5)"
WHERE = "transition_2"
KINDS = ["compression", "channels", "maps", "θ"]


class BottleneckLayer(nn.Module):
    def __init__(self, n_in, k=12):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(n_in), nn.Conv2d(n_in, 4 * k, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * k), nn.Conv2d(4 * k, k, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return torch.cat([x, y], 1)


class Transition(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(n_in), nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class OnceCompressed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.block_a, self.trans_a = nn.Sequential(BottleneckLayer(24), BottleneckLayer(36)), Transition(48, 24)
        self.block_b, self.trans_b = nn.Sequential(BottleneckLayer(24), BottleneckLayer(36)), Transition(48, 48)
        self.block_c = nn.Sequential(BottleneckLayer(48), BottleneckLayer(60))
        self.norm, self.linear = nn.BatchNorm2d(72), nn.Linear(72, 10)

    def forward(self, x):
        x = self.trans_a(self.block_a(self.conv(x)))
        x = self.trans_b(self.block_b(x))
        x = F.relu(self.norm(self.block_c(x)))
        return self.linear(torch.flatten(F.avg_pool2d(x, 8), 1))
