"""DenseNet for CIFAR, only functions and nn.Sequential."""
import torch
from torch import nn


class Grow(nn.Sequential):
    """x -> [x, layers(x)]"""

    def forward(self, x):
        return torch.cat([x, super().forward(x)], dim=1)


def bn_relu_conv(cin, cout, k):
    return nn.BatchNorm2d(cin), nn.ReLU(inplace=True), nn.Conv2d(cin, cout, k, padding=k // 2, bias=False)


def densenet(depth, growth_rate):
    n, rest = divmod(depth - 4, 3)
    if rest:
        raise ValueError("depth must be 3n + 4")
    channels = 16
    layers = [nn.Conv2d(3, channels, 3, padding=1, bias=False)]
    for block in range(3):
        if block:
            layers += [*bn_relu_conv(channels, channels, 1), nn.AvgPool2d(2)]
        for _ in range(n):
            layers.append(Grow(*bn_relu_conv(channels, growth_rate, 3)))
            channels += growth_rate
    layers += [
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 10),
    ]
    return nn.Sequential(*layers)
