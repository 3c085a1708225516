import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ExclusiveGatingBlock(nn.Module):
    def __init__(self, channels: int, gate_bias: float) -> None:
        super().__init__()
        # TODO: the layers, and where the gate's bias starts

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO
