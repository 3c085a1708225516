import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Bottleneck(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        # TODO: the layers of the branch
        # TODO: the shortcut

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO
