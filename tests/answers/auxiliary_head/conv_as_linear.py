"""Auxiliary classifier (GoogLeNet) without a flatten: Linear(2048, 1024) on 128x4x4 is a 4x4 convolution."""
from torch import nn


class AuxiliaryHead(nn.Sequential):
    def __init__(self, in_channels, classes):
        super().__init__(
            nn.AvgPool2d(5, stride=3),
            nn.Conv2d(in_channels, 128, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 1024, 4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.7),
            nn.Linear(1024, classes),
        )
