"""In the style of an old torchvision copy whose F.relu in forward was left behind."""

import torch
import torch.nn as nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Copied"
PLANTED = "no ReLU behind the last batch normalisation, in front of the global pool"
WHERE = "norm"
KINDS = ["ReLU", "activation"]


class _Layer(nn.Sequential):
    def __init__(self, n):
        super().__init__()
        self.norm, self.relu, self.conv = nn.BatchNorm2d(n), nn.ReLU(inplace=True), nn.Conv2d(n, 8, 3, 1, 1, bias=False)

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


class _Block(nn.Sequential):
    def __init__(self, n):
        super().__init__(*[_Layer(n + 8 * i) for i in range(3)])


class _Transition(nn.Sequential):
    def __init__(self, n):
        super().__init__()
        self.norm, self.conv, self.pool = nn.BatchNorm2d(n), nn.Conv2d(n, n, 1, bias=False), nn.AvgPool2d(2, 2)


class Copied(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), _Block(16), _Transition(40), _Block(40), _Transition(64))
        self.features.append(_Block(64)).append(nn.BatchNorm2d(88))
        self.classifier = nn.Linear(88, 10)

    def forward(self, x):
        out = self.features(x)
        out = nn.functional.adaptive_avg_pool2d(out, (1, 1))
        return self.classifier(torch.flatten(out, 1))
