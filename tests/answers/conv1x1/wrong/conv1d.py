# forbidden
import torch
from torch import nn
from torch.nn import functional as F


class Conv1x1(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.w = nn.Parameter(torch.randn(out_channels, in_channels))
        self.b = nn.Parameter(torch.randn(out_channels))

    def forward(self, x):
        return F.conv1d(x.flatten(2), self.w[:, :, None], self.b).view(len(x), -1, *x.shape[2:])
