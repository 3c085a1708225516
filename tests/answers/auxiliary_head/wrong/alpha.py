# operator
"""Another dropout, which keeps mean and variance."""
from torch import nn


class AuxiliaryHead(nn.Sequential):
    def __init__(self, in_channels, classes):
        head = [nn.Linear(128 * 4 * 4, 1024), nn.ReLU(True), nn.AlphaDropout(0.7), nn.Linear(1024, classes)]
        super().__init__(nn.AvgPool2d(5, 3), nn.Conv2d(in_channels, 128, 1), nn.ReLU(True), nn.Flatten(), *head)
