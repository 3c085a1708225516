import torch
from torch import Tensor, nn


def conv(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)


class InceptionA(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        pool = nn.AvgPool2d(3, stride=1, padding=1)
        reducer = conv(in_channels, 16, 1)
        self.branches = nn.ModuleList(
            [
                nn.Sequential(pool, conv(in_channels, 24, 1)),
                conv(in_channels, 16, 1),
                nn.Sequential(reducer, conv(16, 24, 5)),
                nn.Sequential(reducer, conv(16, 24, 3), conv(24, 24, 3)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)
