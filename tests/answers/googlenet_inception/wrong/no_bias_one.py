# bias_missing
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Inception(nn.Module):
    """Four branches joined along the channels, a ReLU behind every convolution."""

    def __init__(self, in_channels: int, n1x1: int, reduce_3x3: int, n3x3: int, reduce_5x5: int, n5x5: int, pool_proj: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(in_channels, n1x1, kernel_size=1)
        self.reduce_3x3 = nn.Conv2d(in_channels, reduce_3x3, kernel_size=1)
        self.conv3x3 = nn.Conv2d(reduce_3x3, n3x3, kernel_size=3, padding=1)
        self.reduce_5x5 = nn.Conv2d(in_channels, reduce_5x5, kernel_size=1, bias=False)
        self.conv5x5 = nn.Conv2d(reduce_5x5, n5x5, kernel_size=5, padding=2)
        self.pool_proj = nn.Conv2d(in_channels, pool_proj, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        y1 = self.conv1x1(x)
        y1 = F.relu(y1)
        y3 = self.reduce_3x3(x)
        y3 = F.relu(y3)
        y3 = self.conv3x3(y3)
        y3 = F.relu(y3)
        y5 = self.reduce_5x5(x)
        y5 = F.relu(y5)
        y5 = self.conv5x5(y5)
        y5 = F.relu(y5)
        pooled = F.max_pool2d(x, kernel_size=3, stride=1, padding=1)
        pooled = self.pool_proj(pooled)
        pooled = F.relu(pooled)
        return torch.cat([y1, y3, y5, pooled], dim=1)
