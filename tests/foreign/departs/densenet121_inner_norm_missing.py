"""In the style of a nested list of layer sizes; one layer was built by an older function."""

import torch
from torch import nn

AGAINST = "densenet121"
OPTIONS = {"layers": (1, 2, 1, 1), "growth_rate": 8, "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Nested"
PLANTED = "no batch normalisation between the 1×1 and the 3×3 of the second layer of the second block"
WHERE = "dense_block_2.1"
KINDS = ["BN", "batch", "norm"]


def new_layer(n, k=8):
    second = [nn.BatchNorm2d(4 * k), nn.ReLU(), nn.Conv2d(4 * k, k, 3, 1, 1, bias=False)]
    return nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, 4 * k, 1, bias=False), *second)


def old_layer(n, k=8):
    second = [nn.ReLU(), nn.Conv2d(4 * k, k, 3, 1, 1, bias=False)]
    return nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, 4 * k, 1, bias=False), *second)


def transition(n):
    return nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, n // 2, 1, bias=False), nn.AvgPool2d(2))


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.dense = nn.ModuleList(
            [
                nn.ModuleList([new_layer(16)]),
                nn.ModuleList([new_layer(12), old_layer(20)]),
                nn.ModuleList([new_layer(14)]),
                nn.ModuleList([new_layer(11)]),
            ]
        )
        self.between = nn.ModuleList([transition(24), transition(28), transition(22), nn.Identity()])
        self.norm, self.fc = nn.BatchNorm2d(19), nn.Linear(19, 10)

    def forward(self, x):
        x = self.stem(x)
        for layers, between in zip(self.dense, self.between, strict=True):
            for layer in layers:
                x = torch.cat([x, layer(x)], 1)
            x = between(x)
        return self.fc(torch.relu(self.norm(x)).mean((2, 3)))
