from torch import nn


class Conv1x1(nn.Conv2d):
    """The 1×1 convolution as a layer of torch."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1)
