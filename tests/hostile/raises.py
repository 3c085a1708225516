"""Has a bug in forward."""

from torch import Tensor, nn


class Net(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise KeyError("stage5")
