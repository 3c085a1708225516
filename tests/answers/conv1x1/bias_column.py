"""The bias is a column of the weight."""
import torch
from torch import nn
from torch.nn import functional as F

class Conv1x1(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels + 1) / in_channels ** 0.5)

    def forward(self, x):
        n, c, h, w = x.shape
        flat = torch.cat([x.flatten(2), torch.ones(n, 1, h * w, dtype=x.dtype, device=x.device)], dim=1)
        return (self.weight @ flat).view(n, -1, h, w)
