"""In the style of a thrifty stem: 5×5 gives the same shapes as 7×7."""

import torch
from torch import nn

AGAINST = "resnet18"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "Thrift"
PLANTED = "conv1 is 5×5 with padding 2, the paper's is 7×7"
WHERE = "conv1"
KINDS = ["kernel", "5×5", "7×7"]

STAGES = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))


class CB(nn.Sequential):
    def __init__(self, i, o, k, s):
        super().__init__(nn.Conv2d(i, o, k, stride=s, padding=k // 2, bias=False), nn.BatchNorm2d(o))


class Thrift(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = CB(3, 64, 5, 2)
        self.first = nn.ModuleList(CB(i, o, 3, s) for i, o, s in STAGES)
        self.second = nn.ModuleList(CB(o, o, 3, 1) for _, o, _ in STAGES)
        self.project = nn.ModuleDict({str(n): CB(i, o, 1, s) for n, (i, o, s) in enumerate(STAGES) if s > 1})
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.stem(x)), 3, 2, 1)
        for n in range(4):
            y = self.second[n](torch.relu(self.first[n](x)))
            x = torch.relu(y + (self.project[str(n)](x) if str(n) in self.project else x))
        return self.fc(x.mean((2, 3)))
