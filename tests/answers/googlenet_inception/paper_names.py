import torch
import torch.nn.functional as F
from torch import nn


class BasicConv2d(nn.Conv2d):
    """A convolution which is always followed by ReLU."""

    def forward(self, x):
        return F.relu(super().forward(x), inplace=True)


class Inception(nn.Module):
    def __init__(self, in_channels, n1x1, reduce_3x3, n3x3, reduce_5x5, n5x5, pool_proj):
        super().__init__()
        self.conv1x1 = BasicConv2d(in_channels, n1x1, 1)
        self.conv3x3_reduce = BasicConv2d(in_channels, reduce_3x3, 1)
        self.conv3x3 = BasicConv2d(reduce_3x3, n3x3, 3, padding=1)
        self.conv5x5_reduce = BasicConv2d(in_channels, reduce_5x5, 1)
        self.conv5x5 = BasicConv2d(reduce_5x5, n5x5, 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = BasicConv2d(in_channels, pool_proj, 1)

    def forward(self, x):
        outputs = [
            self.conv1x1(x),
            self.conv3x3(self.conv3x3_reduce(x)),
            self.conv5x5(self.conv5x5_reduce(x)),
            self.pool_proj(self.pool(x)),
        ]
        return torch.cat(outputs, dim=1)
