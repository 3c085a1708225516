import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Conv1x1(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = torch.randn(out_channels, in_channels, 1, 1)
        self.bias = torch.randn(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.weight, self.bias)
        return y
