"""In the style of annotated-papers code (labml): stride 2 for the very first block, and for no other."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet20@b"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "ResNetBase(n_blocks=[2, 2, 2], n_channels=[16, 32, 64])"
PLANTED = "stride 2 only in the first block of conv2_x, where the paper has 1, and none in conv3_x and conv4_x, where it has 2"
WHERE = "conv2_x"
KINDS = ["stride", "16×16", "size", "shape", "map"]


class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
        else:
            self.shortcut = nn.Identity()
        self.act2 = nn.ReLU()

    def forward(self, x):
        shortcut = self.shortcut(x)
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.act2(x + shortcut)


class ResNetBase(nn.Module):
    def __init__(self, n_blocks, n_channels, img_channels=3):
        super().__init__()
        self.conv = nn.Conv2d(img_channels, n_channels[0], kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(n_channels[0])
        blocks = []
        prev_channels = n_channels[0]
        for i, channels in enumerate(n_channels):
            # the first block of every stage but the first halves the map
            stride = 2 if len(blocks) == 0 else 1
            blocks.append(ResidualBlock(prev_channels, channels, stride))
            prev_channels = channels
            for _ in range(n_blocks[i] - 1):
                blocks.append(ResidualBlock(channels, channels, stride=1))
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(n_channels[-1], 10)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = self.blocks(x)
        return self.output(x.view(x.shape[0], x.shape[1], -1).mean(dim=-1))
