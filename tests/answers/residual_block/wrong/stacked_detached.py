# gradients cut
import torch
from torch import nn
from torch.nn import functional as F

class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, channels, channels, 3, 3) * 0.1)
        self.b = nn.Parameter(torch.zeros(2, channels))

    def forward(self, x):
        y = F.relu(F.conv2d(x, self.w[0], self.b[0], padding=1))
        return F.relu(x + F.conv2d(y, self.w[1].detach(), self.b[1], padding=1))
