import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Inception(nn.Module):
    def __init__(self, in_channels: int, n1x1: int, reduce_3x3: int, n3x3: int, reduce_5x5: int, n5x5: int, pool_proj: int) -> None:
        super().__init__()
        # TODO: the layers

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO
