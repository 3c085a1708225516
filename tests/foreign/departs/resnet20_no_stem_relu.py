"""In the style of a module that was called "conv_bn" and used as if it were "conv_bn_relu"."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Trusting"
PLANTED = "no ReLU behind the stem's convolution and normalisation"
WHERE = "conv1"
KINDS = ["ReLU", "activation"]


def conv_bn(i, o, s=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o))


class Pair(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.first, self.second = conv_bn(i, o, s), conv_bn(o, o)

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        if y.shape != x.shape:
            x = torch.nn.functional.avg_pool2d(x, 1, 2)
            x = torch.cat([x, torch.zeros_like(x)], 1)
        return torch.relu(x + y)


class Trusting(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 16)
        self.pairs = nn.Sequential(Pair(16, 16, 1), Pair(16, 32, 2), Pair(32, 64, 2))
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        x = self.pairs(x)
        return self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))
