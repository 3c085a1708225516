"""In the style of a detection toolbox: a table of entries, a builder that dispatches on types, channel sums from NumPy."""

import numpy as np
import torch
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (2, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Detector"

STEM = [("conv", 3, 64, 7, 2), "bn", "relu", ("pool", 3, 2)]
WIDTHS = 64 * 2 ** np.arange(4)


def build(entry, channels=None):
    match entry:
        case list():
            layers = []
            for inner in entry:
                layers.append(build(inner, channels))
                if isinstance(layers[-1], nn.Conv2d):
                    channels = layers[-1].out_channels
            return nn.Sequential(*layers)
        case ("conv", i, o, k, s):
            return nn.Conv2d(int(i), int(o), k, s, k // 2, bias=False)
        case ("pool", k, s):
            return nn.MaxPool2d(k, s, k // 2)
        case "bn":
            return nn.BatchNorm2d(channels)
        case "relu":
            return nn.ReLU(inplace=True)
    raise TypeError(entry)


class Bottle(nn.Module):
    def __init__(self, i, w, s):
        super().__init__()
        if i != 4 * w:
            self.match = build([("conv", i, 4 * w, 1, s), "bn"])
        self.path = build([("conv", i, w, 1, s), "bn", "relu", ("conv", w, w, 3, 1), "bn", "relu", ("conv", w, 4 * w, 1, 1), "bn"])

    def forward(self, x):
        identity = self.match(x) if hasattr(self, "match") else x
        return torch.relu_(torch.add(input=self.path(x), other=identity))


class Detector(nn.Module):
    def __init__(self, repeats=(2, 1, 1, 1), classes=10):
        super().__init__()
        self.stem = build(STEM)
        starts = np.concatenate([[64], 4 * WIDTHS[:-1]])
        for level, (start, width, repeat) in enumerate(zip(starts, WIDTHS, repeats, strict=True), start=2):
            strides = [1 if level == 2 else 2] + [1] * (repeat - 1)
            units = [Bottle(start if n == 0 else 4 * width, width, s) for n, s in enumerate(strides)]
            self.add_module(f"c{level}", nn.Sequential(*units))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes))

    def forward(self, image):
        c = self.stem(image)
        for level in range(2, 6):
            c = getattr(self, f"c{level}")(c)
        return self.head(c)
