import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InceptionA(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pool_conv = nn.Conv2d(in_channels, 24, kernel_size=1)
        self.conv1x1 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.reduce5x5 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.conv5x5 = nn.Conv2d(16, 24, kernel_size=5, padding=2)
        self.conv3x3_a = nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.conv3x3_b = nn.Conv2d(24, 24, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        a = self.pool_conv(a)
        b = self.conv1x1(x)
        c = self.reduce5x5(x)
        c = self.conv5x5(c)
        d = self.reduce5x5(x)
        d = self.conv3x3_a(d)
        d = self.conv3x3_b(d)
        return torch.cat([a, b, c, d], dim=1)
