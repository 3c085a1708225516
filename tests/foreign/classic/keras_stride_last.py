"""In the style of a functional API: a block is a function that adds layers to a list, and a stack strides in its last block."""

import torch
from torch import nn

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 20}
INPUT = (3, 32, 32)
CALLABLE = "ResNetV2(blocks=2)"
PLANTED = "stride 2 in the last block of conv2_x and of conv3_x, not in the first of conv3_x and of conv4_x"
WHERE = "conv2_x.1"
KINDS = ["stride"]


class BlockV2(nn.Module):
    """preact: BN and ReLU in front of both paths; conv_shortcut: a 1×1 convolution of what they give."""

    def __init__(self, channels, filters, stride=1, conv_shortcut=False, preact=True):
        super().__init__()
        self.preact = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()) if preact else None
        self.conv_shortcut = conv_shortcut
        if conv_shortcut:
            self.conv_0 = nn.Conv2d(channels, 4 * filters, 1, stride, bias=False)
        elif stride > 1:
            self.pool_0 = nn.MaxPool2d(1, stride)
        else:
            self.pool_0 = nn.Identity()
        self.conv_1 = nn.Conv2d(channels, filters, 1, stride, bias=False)
        self.bn_1 = nn.BatchNorm2d(filters)
        self.conv_2 = nn.Conv2d(filters, filters, 3, padding="same", bias=False)
        self.bn_2 = nn.BatchNorm2d(filters)
        self.conv_3 = nn.Conv2d(filters, 4 * filters, 1, bias=False)

    def forward(self, x):
        preact = x if self.preact is None else self.preact(x)
        shortcut = self.conv_0(preact) if self.conv_shortcut else self.pool_0(x)
        x = torch.relu(self.bn_1(self.conv_1(preact)))
        x = torch.relu(self.bn_2(self.conv_2(x)))
        return shortcut + self.conv_3(x)


def stack(layers, channels, filters, blocks, stride1=2, preact=True):
    """stride1: stride of the first block."""
    layers.append(BlockV2(channels, filters, conv_shortcut=True, preact=preact))
    for _ in range(2, blocks):
        layers.append(BlockV2(4 * filters, filters))
    layers.append(BlockV2(4 * filters, filters, stride=stride1))
    return 4 * filters


class ResNetV2(nn.Module):
    def __init__(self, blocks, classes=10):
        super().__init__()
        layers = [nn.Conv2d(3, 16, 3, padding="same", bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        channels = stack(layers, 16, 16, blocks, preact=False)
        channels = stack(layers, channels, 32, blocks)
        channels = stack(layers, channels, 64, blocks, stride1=1)
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.predictions = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.layers(x)
        return self.predictions(x.mean(dim=[2, 3]))
