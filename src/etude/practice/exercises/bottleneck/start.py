from torch import Tensor, nn


class Bottleneck(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        # TODO: the layers of the branch
        # TODO: the shortcut

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO
