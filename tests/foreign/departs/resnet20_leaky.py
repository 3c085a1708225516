"""In the style of a GAN author: LeakyReLU out of habit."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Leaky"
PLANTED = "LeakyReLU of slope 0.01 everywhere, where the paper has ReLU"
WHERE = ""
KINDS = ["Leaky", "ReLU", "activation"]


def activation():
    return nn.LeakyReLU(inplace=True)


def block(i, o, s):
    layers = [nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), activation(), nn.Conv2d(o, o, 3, 1, 1, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(o))


class Leaky(nn.Module):
    def __init__(self):
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), activation())
        self.blocks = nn.ModuleList([block(16, 16, 1), block(16, 32, 2), block(32, 64, 2)])
        self.act = activation()
        self.end = nn.Linear(64, 10)

    def forward(self, x):
        x = self.begin(x)
        for block in self.blocks:
            y = block(x)
            if x.shape != y.shape:
                x = x[:, :, ::2, ::2]
                x = torch.cat([x, torch.zeros_like(x)], dim=1)
            x = self.act(x + y)
        return self.end(x.mean((2, 3)))
