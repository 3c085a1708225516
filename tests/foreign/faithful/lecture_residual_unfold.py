"""In the style of a course on how convolutions really work: patches by unfold, times a matrix."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "FromScratch"


class PatchConv(nn.Module):
    """A convolution of stride 1 as one matrix product per image."""

    def __init__(self, n_in, n_out, size, pad=0):
        super().__init__()
        self.size, self.pad = size, pad
        self.kernel = nn.Parameter(torch.randn(n_out, n_in, size, size) * (2 / (n_in * size * size)) ** 0.5)
        self.offset = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        n, _, h, w = x.shape
        columns = F.unfold(x, self.size, padding=self.pad)  # n × (c·k·k) × positions
        out = torch.matmul(self.kernel.flatten(1), columns) + self.offset[:, None]
        shrink = self.size - 1 - 2 * self.pad
        return out.view(n, -1, h - shrink, w - shrink)


class FromScratch(nn.Module):
    def __init__(self):
        super().__init__()
        self.a0 = PatchConv(1, 16, 5)
        self.a1, self.a2 = PatchConv(16, 16, 3, 1), PatchConv(16, 16, 3, 1)
        self.b0 = PatchConv(16, 32, 5)
        self.b1, self.b2 = PatchConv(32, 32, 3, 1), PatchConv(32, 32, 3, 1)
        self.readout = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(self.a0(x).clamp(min=0), 2)
        x = (x + self.a2(self.a1(x).clamp(min=0))).clamp(min=0)
        x = F.max_pool2d(self.b0(x).clamp(min=0), 2)
        x = (x + self.b2(self.b1(x).clamp(min=0))).clamp(min=0)
        return self.readout(x.flatten(1))
