from torch import nn


def bn_relu_conv(c):
    return [nn.BatchNorm2d(c), nn.ReLU(inplace=True), nn.Conv2d(c, c, 3, padding=1, bias=False)]


class PreActBlock(nn.Sequential):
    """BN-ReLU-conv-BN-ReLU-conv, and nothing after the addition (图4e)."""

    def __init__(self, channels):
        super().__init__(*bn_relu_conv(channels), *bn_relu_conv(channels))

    def forward(self, input):
        return input + super().forward(input)
