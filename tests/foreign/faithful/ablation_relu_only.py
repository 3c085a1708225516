"""In the style of a reproduction report: Fig. 4d, units as closures over a ModuleList of weights."""

import torch
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 14, "order": "relu_only_preactivation"}
INPUT = (3, 32, 32)
CALLABLE = "ReluOnly"


class ReluOnly(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.weights, self.norms, self.shapes = nn.ModuleList(), nn.ModuleList(), []
        c = self.weight(3, 16)
        for width in (16, 32, 64):
            for _ in range(n):
                self.shapes.append((c, width))
                self.weight(c, width, stride=width // c)
                c = self.weight(width, width)
        self.prediction = nn.Linear(c, 10)

    def weight(self, i, o, stride=1):
        self.weights.append(nn.Conv2d(i, o, 3, stride, 1, bias=False))
        self.norms.append(nn.BatchNorm2d(o))
        return o

    def apply_weight(self, i, x):
        return self.norms[i](self.weights[i](x))

    def forward(self, x):
        x = torch.relu(self.apply_weight(0, x))
        for number, (i, o) in enumerate(self.shapes):
            before = torch.relu(x) if number else x  # the stem has already done it for the first unit
            f = self.apply_weight(2 * number + 2, torch.relu(self.apply_weight(2 * number + 1, before)))
            if i != o:
                zeros = torch.zeros_like(x[:, :, ::2, ::2])
                x = torch.cat([zeros[:, : i // 2], x[:, :, ::2, ::2], zeros[:, i // 2 :]], 1)
            x = x + f
        return self.prediction(torch.relu(x).mean(3).mean(2))
