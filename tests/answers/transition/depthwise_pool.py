import torch
import torch.nn as nn
import torch.nn.functional as F


class MeanPool(nn.Module):
    # 2x2平均池化，用固定权重的逐通道卷积实现（buffer，不训练）
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("k", torch.full((channels, 1, 2, 2), 0.25), persistent=False)

    def forward(self, x):
        return F.conv2d(x, self.k, stride=2, groups=self.k.size(0))


class Transition(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.pool = MeanPool(out_channels)

    def forward(self, x):
        for f in (self.bn, self.relu, self.conv, self.pool):
            x = f(x)
        return x
