"""A dense block of n layers = one layer, then a dense block of n-1 layers on the wider input."""
import torch
from torch import Tensor, nn


class DenseBlock(nn.Module):
    def __init__(self, num_layers: int, in_channels: int, growth_rate: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, growth_rate, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(in_channels)
        self.rest = (
            DenseBlock(num_layers - 1, in_channels + growth_rate, growth_rate)
            if num_layers > 1
            else nn.Identity()
        )

    def new_maps(self, x: Tensor) -> Tensor:
        return self.conv(self.bn(x).clamp(min=0))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(torch.hstack([x, self.new_maps(x)]))
