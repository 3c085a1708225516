# not_followed
import torch
from torch import nn
from torch.nn import functional as F

class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for _ in range(channels))
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.second(torch.cat([one(x) for one in self.first], dim=1)))
