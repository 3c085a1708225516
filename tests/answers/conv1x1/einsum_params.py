import math

import torch
from torch import nn


class Conv1x1(nn.Module):
    """A 1x1 convolution is a matrix that is applied at every pixel."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        bound = 1 / math.sqrt(in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(self, x):
        return torch.einsum("oc,nchw->nohw", self.weight, x) + self.bias[:, None, None]
