from torch import Tensor, nn


class InceptionA(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        # TODO: the layers

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError  # TODO: four branches
