"""In the style of a config file whose default came from a DenseNet."""

from dataclasses import dataclass

import torch
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "dropout"}
INPUT = (3, 32, 32)
CALLABLE = "make"
PLANTED = "the shortcuts drop 20 %, the paper's 50 %"
WHERE = ""
KINDS = ["dropout", "0.2", "0.5", "20 %", "50 %"]


@dataclass
class Config:
    widths: tuple = (16, 32, 64)
    drop: float = 0.2
    classes: int = 10


class DropUnit(nn.Module):
    def __init__(self, i, o, drop):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(i, o, 3, o // i, 1, bias=False),
            nn.BatchNorm2d(o),
            nn.ReLU(),
            nn.Conv2d(o, o, 3, 1, 1, bias=False),
            nn.BatchNorm2d(o),
        )
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        y = self.residual(x)
        if x.shape[1] < y.shape[1]:
            x = x[:, :, ::2, ::2]
            x = torch.cat([x, x.new_zeros(x.shape)], dim=1)
        return torch.relu(self.drop(x) + y)


class Configured(nn.Module):
    def __init__(self, config):
        super().__init__()
        a, b, c = config.widths
        self.stem = nn.Sequential(nn.Conv2d(3, a, 3, 1, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU())
        self.units = nn.Sequential(DropUnit(a, a, config.drop), DropUnit(a, b, config.drop), DropUnit(b, c, config.drop))
        self.fc = nn.Linear(c, config.classes)

    def forward(self, x):
        return self.fc(self.units(self.stem(x)).mean((2, 3)))


def make():
    return Configured(Config())
