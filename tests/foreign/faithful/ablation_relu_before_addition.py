"""In the style of a notebook cell: Fig. 4c, the whole net in one class, units kept as tuples of names."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "order": "relu_before_addition"}
INPUT = (3, 32, 32)
CALLABLE = "NotebookNet"


class NotebookNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers = {"stem": (3, 16, 1), "a1": (16, 16, 1), "a2": (16, 16, 1), "b1": (16, 32, 2), "b2": (32, 32, 1)}
        layers.update({"c1": (32, 64, 2), "c2": (64, 64, 1)})
        self.convs = nn.ModuleDict({k: nn.Conv2d(i, o, 3, s, 1, bias=False) for k, (i, o, s) in layers.items()})
        self.bns = nn.ModuleDict({k: nn.BatchNorm2d(o) for k, (_, o, _) in layers.items()})
        self.fc = nn.Linear(64, 10)

    def cbr(self, k, x):
        return F.relu(self.bns[k](self.convs[k](x)))

    def forward(self, x):
        x = self.cbr("stem", x)
        x = x + self.cbr("a2", self.cbr("a1", x))
        x = F.pad(x[:, :, ::2, ::2], (0, 0) * 2 + (0, 16)) + self.cbr("b2", self.cbr("b1", x))
        x = F.pad(x[:, :, ::2, ::2], (0, 0) * 2 + (0, 32)) + self.cbr("c2", self.cbr("c1", x))
        return self.fc(x.flatten(2).mean(2))
