"""In the style of a layer list per name: one of the nine layers activates behind its convolution."""

import torch
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Listed"
PLANTED = "the third layer of the first block is BN, convolution, ReLU in place of BN, ReLU, convolution"
WHERE = "dense_block_1.2"
KINDS = ["ReLU", "order", "activation"]


class Dense(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


def pre(c):
    return nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, 8, 3, padding=1, bias=False))


def post(c):
    return nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, 8, 3, padding=1, bias=False), nn.ReLU())


def transition(c):
    return nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, c, 1, bias=False), nn.AvgPool2d(2))


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)
        self.dense1, self.trans1 = Dense(pre(16), pre(24), post(32)), transition(40)
        self.dense2, self.trans2 = Dense(pre(40), pre(48), pre(56)), transition(64)
        self.dense3 = Dense(pre(64), pre(72), pre(80))
        self.top = nn.Sequential(nn.BatchNorm2d(88), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(88, 10))

    def forward(self, x):
        x = self.trans1(self.dense1(self.stem(x)))
        x = self.trans2(self.dense2(x))
        return self.top(self.dense3(x))
