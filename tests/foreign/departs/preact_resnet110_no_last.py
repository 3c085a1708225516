"""In the style of a translation from the original network: the head still starts with the pool."""

import torch
import torch.nn as nn

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Headless"
PLANTED = "no BN and ReLU behind the last unit"
WHERE = "activation_last"
KINDS = ["BN", "ReLU", "activation", "norm"]


class BRC(nn.Sequential):
    def __init__(self, i, o, s=1):
        super().__init__(nn.BatchNorm2d(i), nn.ReLU(), nn.Conv2d(i, o, 3, s, 1, bias=False))


class Headless(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.act0 = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU())
        self.u0 = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), BRC(16, 16))
        self.u1 = nn.Sequential(BRC(16, 32, 2), BRC(32, 32))
        self.u2 = nn.Sequential(BRC(32, 64, 2), BRC(64, 64))
        self.head = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10))

    @staticmethod
    def widened(x):
        x = x[:, :, ::2, ::2]
        return torch.cat([x, torch.zeros_like(x)], 1)

    def forward(self, x):
        x = self.act0(self.conv0(x))
        x = x + self.u0(x)
        x = self.widened(x) + self.u1(x)
        x = self.widened(x) + self.u2(x)
        return self.head(x)
