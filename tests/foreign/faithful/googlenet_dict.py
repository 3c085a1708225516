"""In the style of a multi-task code base: a dictionary of outputs, branches pool first, 1×1 as Linear, pools on a padded map."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "googlenet"
OPTIONS = {"classes": 20}
INPUT = (3, 224, 224)
CALLABLE = "MultiHead"

TABLE = """3a 64 96 128 16 32 32; 3b 128 128 192 32 96 64; 4a 192 96 208 16 48 64; 4b 160 112 224 24 64 64; 4c 128 128 256 24 64 64
; 4d 112 144 288 32 64 64; 4e 256 160 320 32 128 128; 5a 256 160 320 32 128 128; 5b 384 192 384 48 128 128"""


class Dot(nn.Module):
    """relu of a 1×1 convolution, pixel by pixel."""

    def __init__(self, i, o):
        super().__init__()
        self.map = nn.Linear(i, o)

    def forward(self, x):
        return torch.relu(self.map(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Window(nn.Module):
    def __init__(self, i, o, k, s=1):
        super().__init__()
        self.taps = nn.Conv2d(i, o, k, s, k // 2)

    def forward(self, x):
        return torch.relu(self.taps(x))


class Cell(nn.Module):
    def __init__(self, i, one, to3, three, to5, five, pool):
        super().__init__()
        self.p = nn.Sequential(nn.MaxPool2d(3, 1, 1), Dot(i, pool))
        self.q = nn.Sequential(Dot(i, to5), Window(to5, five, 5))
        self.r = nn.Sequential(Dot(i, to3), Window(to3, three, 3))
        self.s = Dot(i, one)

    def forward(self, x):
        return torch.cat([self.p(x), self.q(x), self.r(x), self.s(x)], 1)


def half(x):
    return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2)


def head(i, n):
    layers = [nn.AvgPool2d(5, 3), Dot(i, 128), nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(p=0.7), nn.Linear(1024, n)]
    return nn.Sequential(*layers)


class MultiHead(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.near, self.mix, self.far = Window(3, 64, 7, 2), Dot(64, 64), Window(64, 192, 3)
        self.cells, width = nn.ModuleDict(), 192
        for name, *numbers in (row.split() for row in TABLE.split(";")):
            numbers = [int(n) for n in numbers]
            self.cells[name] = Cell(width, *numbers)
            width = numbers[0] + numbers[2] + numbers[4] + numbers[5]
        self.heads = nn.ModuleDict({"4a": head(512, classes), "4d": head(528, classes)})
        self.final = nn.Sequential(nn.Dropout(p=0.4), nn.Linear(width, classes))

    def forward(self, x):
        x = F.local_response_norm(half(self.near(x)), 5)
        x = half(F.local_response_norm(self.far(self.mix(x)), 5))
        outputs = {}
        for name, cell in self.cells.items():
            x = cell(half(x) if name in ("4a", "5a") else x)
            if self.training and name in self.heads:
                outputs[f"head_{name}"] = self.heads[name](x)
        outputs["logits"] = self.final(x.mean(dim=(2, 3)))
        return outputs
