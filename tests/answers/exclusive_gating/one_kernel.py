"""The gate's 1×1 beside the nine weights of the first 3×3, in one parameter."""
import torch
from torch import nn
from torch.nn import functional as F

class ExclusiveGatingBlock(nn.Module):
    def __init__(self, channels, gate_bias):
        super().__init__()
        self.k = nn.Parameter(torch.randn(channels, channels, 10) * .1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.b = nn.Parameter(torch.zeros(channels))
        self.gb = nn.Parameter(torch.full((channels,), float(gate_bias)))

    def forward(self, x):
        k3 = self.k[:, :, :9].unflatten(2, (3, 3))
        k1 = self.k[:, :, 9:].unsqueeze(-1)
        y = F.conv2d(x, k3, self.b, padding=1)
        y = self.conv2(F.relu(y))
        g = F.conv2d(x, k1, self.gb).sigmoid()
        return F.relu(x + g * (y - x))
