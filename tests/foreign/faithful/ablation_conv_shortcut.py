"""In the style of a tidy minimalist: option C, conv and norm as one Sequential subclass, sum of a generator."""

from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "conv"}
INPUT = (3, 32, 32)
CALLABLE = "Minimal"


class CN(nn.Sequential):
    def __init__(self, i, o, k=3, s=1):
        super().__init__(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))


class Both(nn.Module):
    def __init__(self, i, o, s=1):
        super().__init__()
        self.paths = nn.ModuleList([CN(i, o, 1, s), nn.Sequential(CN(i, o, 3, s), nn.ReLU(), CN(o, o))])

    def forward(self, x):
        return sum(path(x) for path in self.paths).relu()


class Minimal(nn.Sequential):
    def __init__(self):
        super().__init__(
            CN(3, 16), nn.ReLU(), Both(16, 16), Both(16, 32, 2), Both(32, 64, 2), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10)
        )
