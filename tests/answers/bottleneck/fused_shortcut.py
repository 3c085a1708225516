"""The first 1×1 and the projection in one convolution and one BN."""
import torch
from torch import nn
from torch.nn import functional as F

class Bottleneck(nn.Module):
    def __init__(self, in_channels, width, stride):
        super().__init__()
        self.width, out = width, 4 * width
        self.project = in_channels != out or stride != 1
        n = width + (out if self.project else 0)
        self.first = nn.Conv2d(in_channels, n, 1, stride=stride, bias=False)
        self.bn = nn.BatchNorm2d(n)
        self.c2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(width)
        self.c3 = nn.Conv2d(width, out, 1, bias=False)
        self.b3 = nn.BatchNorm2d(out)

    def forward(self, x):
        y = self.bn(self.first(x))
        s = y[:, self.width:] if self.project else x
        y = F.relu(y[:, :self.width])
        y = self.b3(self.c3(F.relu(self.b2(self.c2(y)))))
        return F.relu(y + s)
