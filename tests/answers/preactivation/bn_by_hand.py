"""Pre-activation unit; the batch normalisation is written out."""
import torch
import torch.nn.functional as F
from torch import nn


class BatchNorm(nn.Module):
    def __init__(self, channels, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean_so_far", torch.zeros(channels))
        self.register_buffer("var_so_far", torch.ones(channels))

    def forward(self, x):
        if self.training:
            mean = x.mean(dim=(0, 2, 3))
            var = x.var(dim=(0, 2, 3), unbiased=False)
            self.remember(mean.detach(), var.detach(), x.numel() // x.size(1))
        else:
            mean, var = self.mean_so_far, self.var_so_far
        scale = self.gamma / torch.sqrt(var + self.eps)
        shift = self.beta - mean * scale
        return x * scale[None, :, None, None] + shift[None, :, None, None]

    def remember(self, mean, var, n):
        # the running variance is the unbiased one
        var = var * n / (n - 1)
        self.mean_so_far.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
        self.var_so_far.mul_(1 - self.momentum).add_(var, alpha=self.momentum)


class PreActBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bn1 = BatchNorm(channels)
        self.weight1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(channels)
        self.weight2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        out = self.weight1(F.relu(self.bn1(x)))
        out = self.weight2(F.relu(self.bn2(out)))
        return out + x
