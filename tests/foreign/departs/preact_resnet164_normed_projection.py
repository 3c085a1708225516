"""In the style of a port that handles the first stage by a special case, with the projection of the older network."""

import torch
from torch import nn

AGAINST = "preact_resnet164"
OPTIONS = {"depth": 11}
INPUT = (3, 32, 32)
CALLABLE = "SpecialCase"
PLANTED = "a batch normalisation behind the projection of the first unit"
WHERE = "conv2_x.0"
KINDS = ["BN", "batch", "norm"]


def act(n):
    return nn.Sequential(nn.BatchNorm2d(n), nn.ReLU())


class SpecialCase(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 16, 3, padding=1, bias=False), act(16)
        self.acts, self.mains, self.sides = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = 16
        for width in (16, 32, 64):
            stride = 1 if width == 16 else 2
            self.acts.append(nn.Identity() if width == 16 else act(before))
            self.mains.append(
                nn.Sequential(
                    nn.Conv2d(before, width, 1, stride, bias=False),
                    act(width),
                    nn.Conv2d(width, width, 3, 1, 1, bias=False),
                    act(width),
                    nn.Conv2d(width, 4 * width, 1, bias=False),
                )
            )
            side = nn.Conv2d(before, 4 * width, 1, stride, bias=False)
            self.sides.append(nn.Sequential(side, nn.BatchNorm2d(4 * width)) if width == 16 else side)
            before = 4 * width
        self.end, self.fc = act(before), nn.Linear(before, 10)

    def forward(self, x):
        x = self.act(self.conv(x))
        for act_, main, side in zip(self.acts, self.mains, self.sides, strict=True):
            x = act_(x)
            x = torch.add(main(x), side(x))
        return self.fc(self.end(x).mean((2, 3)))
