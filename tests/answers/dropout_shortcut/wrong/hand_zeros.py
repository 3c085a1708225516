# starts_alike
import torch
from torch import nn
from torch.nn import functional as F


class DropoutShortcutBlock(nn.Module):
    def __init__(self, channels, p):
        super().__init__()
        self.p = p
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x)))
        if self.training:
            x = x * torch.bernoulli(torch.full_like(x, 1 - self.p)) / (1 - self.p)
        return F.relu(x + y)
