"""In the style of Keras' ResNetV2: a stack strides in its last block, whatever its docstring says."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 20}
INPUT = (3, 32, 32)
CALLABLE = "ResNetV2"
PLANTED = "the stride is in the last block of the first and of the second stage; the paper's is in the first of the second and third"
WHERE = "conv2_x"
KINDS = ["stride", "16×16", "size", "shape", "map"]


class Block2(nn.Module):
    def __init__(self, inputs, filters, stride=1, conv_shortcut=False, activated=False):
        super().__init__()
        self.preact_bn = nn.Identity() if activated else nn.BatchNorm2d(inputs)
        self.stride = stride
        self.shortcut = nn.Conv2d(inputs, 4 * filters, 1, stride, bias=False) if conv_shortcut else None
        self.conv_1, self.bn_1 = nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
        self.conv_2, self.bn_2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)
        self.conv_3 = nn.Conv2d(filters, 4 * filters, 1, bias=False)

    def forward(self, x):
        preact = F.relu(self.preact_bn(x))
        if self.shortcut is not None:
            shortcut = self.shortcut(preact)
        else:
            shortcut = F.max_pool2d(x, 1, stride=self.stride) if self.stride > 1 else x
        x = F.relu(self.bn_1(self.conv_1(preact)))
        x = F.relu(self.bn_2(self.conv_2(x)))
        return shortcut + self.conv_3(x)


def stack2(inputs, filters, blocks, stride1, activated=False):
    """stride1: stride of the first layer in the first block."""
    layers = [Block2(inputs, filters, conv_shortcut=True, activated=activated)]
    for _ in range(2, blocks):
        layers.append(Block2(4 * filters, filters))
    layers.append(Block2(4 * filters, filters, stride=stride1))
    return nn.Sequential(*layers)


class ResNetV2(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1_conv, self.conv1_bn = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2 = stack2(16, 16, 2, stride1=2, activated=True)
        self.conv3 = stack2(64, 32, 2, stride1=2)
        self.conv4 = stack2(128, 64, 2, stride1=1)
        self.post_bn = nn.BatchNorm2d(256)
        self.predictions = nn.Linear(256, classes)

    def forward(self, x):
        x = F.relu(self.conv1_bn(self.conv1_conv(x)))
        x = self.conv4(self.conv3(self.conv2(x)))
        x = F.relu(self.post_bn(x))
        return self.predictions(x.mean(dim=(2, 3)))
