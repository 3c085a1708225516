from torch import nn


class DenseLayer(nn.Sequential):
    """in_channels is not needed: the lazy layers find it out with the first batch."""

    def __init__(self, in_channels, growth_rate):
        super().__init__(
            nn.LazyBatchNorm2d(),
            nn.ReLU(inplace=True),
            nn.LazyConv2d(growth_rate, 3, padding=1, bias=False),
        )
