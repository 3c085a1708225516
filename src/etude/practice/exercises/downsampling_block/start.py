import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DownsamplingBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, shortcut: str) -> None:
        super().__init__()
        # TODO: the layers; shortcut is "A" or "B"

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO
