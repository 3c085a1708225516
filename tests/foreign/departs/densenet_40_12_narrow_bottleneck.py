"""In the style of a lean DenseNet: the 1×1 gives 2k maps."""

import torch
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 16, "bottleneck": True}
INPUT = (3, 32, 32)
CALLABLE = "Lean"
PLANTED = "the 1×1 convolutions give 2k = 24 maps, the paper's 4k = 48"
WHERE = ""
KINDS = ["bottleneck", "width", "channels", "maps", "24", "48"]


class Factory(nn.Module):
    def __init__(self, n, k, expansion=2):
        super().__init__()
        self.squeeze = nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, expansion * k, 1, bias=False))
        self.grow = nn.Sequential(nn.BatchNorm2d(expansion * k), nn.ReLU(), nn.Conv2d(expansion * k, k, 3, 1, 1, bias=False))

    def forward(self, x):
        return torch.cat([x, self.grow(self.squeeze(x))], 1)


class Lean(nn.Module):
    def __init__(self, k=12):
        super().__init__()
        n, layers = 16, [nn.Conv2d(3, 16, 3, 1, 1, bias=False)]
        for block in range(3):
            for _ in range(2):
                layers.append(Factory(n, k))
                n += k
            if block < 2:
                layers += [nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, n, 1, bias=False), nn.AvgPool2d(2)]
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(n), nn.ReLU())
        self.classifier = nn.Linear(n, 10)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
