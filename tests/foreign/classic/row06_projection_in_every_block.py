"""In the style of scenic's baseline: one projection test for both kinds of block, with the bottleneck's factor 4 in it."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet18"
OPTIONS = {"units": (1, 2, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "ResNet"
PLANTED = "a projection in every block, also where the shape does not change"
WHERE = ""
KINDS = ["projection", "option C", "1×1", "shortcut", "identity"]


class ResidualBlock(nn.Module):
    def __init__(self, inputs, filters, strides):
        super().__init__()
        needs_projection = inputs != filters * 4 or strides != 1
        self.proj_conv = nn.Conv2d(inputs, filters, 1, strides, bias=False) if needs_projection else None
        self.proj_bn = nn.BatchNorm2d(filters) if needs_projection else None
        self.conv1, self.bn1 = nn.Conv2d(inputs, filters, 3, strides, 1, bias=False), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)

    def forward(self, x):
        residual = x
        if self.proj_conv is not None:
            residual = self.proj_bn(self.proj_conv(residual))
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return F.relu(residual + x)


class ResNet(nn.Module):
    def __init__(self, num_outputs=10, num_filters=64, block_sizes=(1, 2, 1, 1)):
        super().__init__()
        self.init_conv = nn.Conv2d(3, num_filters, 7, 2, 3, bias=False)
        self.init_bn = nn.BatchNorm2d(num_filters)
        self.residual_blocks = nn.ModuleList()
        inputs = num_filters
        for i, block_size in enumerate(block_sizes):
            for j in range(block_size):
                strides = 2 if i > 0 and j == 0 else 1
                filters = num_filters * 2**i
                self.residual_blocks.append(ResidualBlock(inputs, filters, strides))
                inputs = filters
        self.output_projection = nn.Linear(inputs, num_outputs)

    def forward(self, x):
        x = F.relu(self.init_bn(self.init_conv(x)))
        x = F.max_pool2d(x, 3, 2, 1)
        for block in self.residual_blocks:
            x = block(x)
        return self.output_projection(torch.mean(x, dim=(2, 3)))
