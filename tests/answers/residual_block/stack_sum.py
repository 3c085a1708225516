# 残差块：主路和捷径堆起来求和（先相加，再激活）
import torch
from torch import nn

relu = lambda t: torch.where(t > 0, t, torch.zeros_like(t))


def juanji(c):
    return nn.Conv2d(c, c, kernel_size=(3, 3), padding=(1, 1))


class ResidualBlock(nn.ModuleList):
    def __init__(self, channels):
        super().__init__(juanji(channels) for _ in range(2))

    def forward(self, x):
        y, last = x, len(self) - 1
        for i, conv in enumerate(self):
            y = conv(y)
            if i != last:
                y = relu(y)
        return relu(torch.stack((y, x)).sum(0))
