from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DownsamplingBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, shortcut: str) -> None:
        super().__init__()
        self.extra = out_channels - in_channels
        self.kind = shortcut
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        match shortcut:
            case "A":
                pass
            case "B":
                self.proj = nn.Conv2d(in_channels, out_channels, 1, stride=2, bias=False)
                self.proj_bn = nn.BatchNorm2d(out_channels)
            case other:
                raise ValueError(f"no such shortcut: {other!r}")

    def _residual(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.bn2(self.conv2(y))

    def _shortcut(self, x: Tensor) -> Tensor:
        match self.kind:
            case "A":
                # pad counts from the last dimension: W, H, then C (only behind)
                return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.extra))
            case _:
                return self.proj_bn(self.proj(x))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self._residual(x) + self._shortcut(x))
