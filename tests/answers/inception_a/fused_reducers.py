"""One 1×1 convolution for three branches, cut afterwards."""
import torch
from torch import nn
from torch.nn import functional as F

class InceptionA(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pool = nn.Conv2d(c, 24, 1)
        self.heads = nn.Conv2d(c, 48, 1)
        self.c5 = nn.Conv2d(16, 24, 5, padding=2)
        self.c3a = nn.Conv2d(16, 24, 3, padding=1)
        self.c3b = nn.Conv2d(24, 24, 3, padding=1)

    def forward(self, x):
        h = self.heads(x)
        p = self.pool(F.avg_pool2d(x, 3, 1, 1))
        return torch.cat([p, h[:, :16], self.c5(h.narrow(1, 16, 16)), self.c3b(self.c3a(h[:, 32:]))], 1)
