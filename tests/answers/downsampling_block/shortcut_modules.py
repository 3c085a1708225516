# 下采样残差块（He 2015），两种捷径做成两个小模块
import torch
from torch import nn


class ZeroPad(nn.Module):
    """A：每隔一个像素取一个（1x1平均池化，步长2），后面补零通道"""

    def __init__(self, cin, cout):
        super().__init__()
        self.cout = cout
        self.every_second = nn.AvgPool2d(kernel_size=1, stride=2)

    def forward(self, x):
        s = self.every_second(x)
        n, c, h, w = s.shape
        zeros = torch.zeros(n, self.cout - c, h, w, dtype=s.dtype, device=s.device)
        return torch.cat([s, zeros], dim=1)


class Projection(nn.Sequential):
    """B：1x1卷积，步长2，再接BN"""

    def __init__(self, cin, cout):
        super().__init__(nn.Conv2d(cin, cout, 1, 2, bias=False), nn.BatchNorm2d(cout))


SHORTCUTS = {"A": ZeroPad, "B": Projection}


class DownsamplingBlock(nn.Module):
    def __init__(self, in_channels, out_channels, shortcut="B"):
        super().__init__()
        self.s = SHORTCUTS[shortcut](in_channels, out_channels)
        self.F = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, 2, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        y = self.F(x)
        y = torch.add(y, self.s(x))
        return y.relu_()
