"""One 1×1 convolution and one ReLU for three branches."""
import torch
from torch import nn
from torch.nn import functional as F

class Inception(nn.Module):
    def __init__(self, in_channels, n1x1, reduce_3x3, n3x3, reduce_5x5, n5x5, pool_proj):
        super().__init__()
        self.sizes = [n1x1, reduce_3x3, reduce_5x5]
        self.first = nn.Conv2d(in_channels, sum(self.sizes), 1)
        self.c3 = nn.Conv2d(reduce_3x3, n3x3, 3, padding=1)
        self.c5 = nn.Conv2d(reduce_5x5, n5x5, 5, padding=2)
        self.pp = nn.Conv2d(in_channels, pool_proj, 1)

    def forward(self, x):
        a, b, c = F.relu(self.first(x)).split(self.sizes, dim=1)
        return torch.cat([a, F.relu(self.c3(b)), F.relu(self.c5(c)), F.relu(self.pp(F.max_pool2d(x, 3, 1, 1)))], 1)
