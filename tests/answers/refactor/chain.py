"""One helper for a chain of convolutions; the sizes say the rest."""
import torch
from torch import nn
import torch.nn.functional as F


def chain(cin, *steps):
    net = nn.Sequential()
    for cout, k in steps:
        net.append(nn.Conv2d(cin, cout, k, padding=k // 2))
        cin = cout
    return net


class InceptionA(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.pool = chain(in_channels, (24, 1))
        self.b1 = chain(in_channels, (16, 1))
        self.b3 = chain(in_channels, (16, 1), (24, 3), (24, 3))
        self.b5 = chain(in_channels, (16, 1), (24, 5))

    def forward(self, x):
        pooled = F.avg_pool2d(x, 3, 1, 1)
        return torch.cat((self.pool(pooled), self.b1(x), self.b5(x), self.b3(x)), 1)
