"""In the style of a memory saver, who changes one of many layers."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "SummedDenseNet"
PLANTED = "one layer of the last block does not rectify its pieces"
WHERE = "dense_block_3.1"
KINDS = ["ReLU"]


class Piecewise(nn.Module):
    """BN, perhaps ReLU, and a convolution of maps that come in pieces."""

    def __init__(self, width, out, kernel, rectifies):
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.weight = nn.Parameter(torch.randn(out, width, kernel, kernel) * 0.05)
        self.rectifies = rectifies

    def forward(self, pieces):
        total, start, norm = 0, 0, self.norm
        for piece in pieces:
            part = slice(start, start + piece.shape[1])
            given = (norm.running_mean[part], norm.running_var[part], norm.weight[part], norm.bias[part])
            y = F.batch_norm(piece, *given, self.training)
            y = F.relu(y) if self.rectifies else y
            total = total + F.conv2d(y, self.weight[:, part], padding=self.weight.shape[-1] // 2)
            start = part.stop
        return total


class SummedDenseNet(nn.Module):
    def __init__(self, k=8):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.layers = nn.ModuleList(Piecewise(start + i * k, k, 3, True) for start in (16, 40, 64) for i in range(3))
        self.layers[7].rectifies = False
        self.transitions = nn.ModuleList(Piecewise(width, width, 1, False) for width in (40, 64))
        self.last = nn.BatchNorm2d(88)
        self.linear = nn.Linear(88, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in range(3):
            pieces = [x]
            for layer in self.layers[3 * block : 3 * block + 3]:
                pieces.append(layer(pieces))
            if block < 2:
                x = F.avg_pool2d(self.transitions[block](pieces), 2)
        x = F.relu(self.last(torch.cat(pieces, 1))).mean((2, 3))
        return self.linear(x)
