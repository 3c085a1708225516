"""im2col: a 3x3 convolution is one matrix product on the unfolded patches."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Im2colConv(nn.Module):
    def __init__(self, channels):
        super().__init__()
        fan_in = channels * 9
        limit = 1.0 / math.sqrt(fan_in)
        self.matrix = nn.Parameter(torch.empty(channels, fan_in).uniform_(-limit, limit))
        self.shift = nn.Parameter(torch.empty(channels, 1).uniform_(-limit, limit))

    def forward(self, x):
        n, c, h, w = x.size()
        patches = F.unfold(x, kernel_size=3, padding=1)        # n, c*9, h*w
        return (self.matrix @ patches + self.shift).view(n, c, h, w)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.second = Im2colConv(channels)
        self.first = Im2colConv(channels)

    def forward(self, x):
        inner = self.second(self.first(x).clamp(min=0))
        return (x + inner).clamp(min=0)
