"""In the style of evolution strategies: all that is learned is one flat vector, which is cut and viewed when it is needed."""

import math

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Genome"

SHAPES = [(16, 1, 5, 5), (16, 16, 3, 3), (16, 16, 3, 3), (32, 16, 5, 5), (32, 32, 3, 3), (32, 32, 3, 3), (10, 512)]


class Genome(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = [size for shape in SHAPES for size in (math.prod(shape), shape[0])]
        self.genes = nn.Parameter(torch.randn(sum(self.sizes)) * 0.05)

    def forward(self, x):
        cut = iter(self.genes.split(self.sizes))
        layers = [(next(cut).view(shape), next(cut)) for shape in SHAPES]
        for first, second, third in (layers[:3], layers[3:6]):
            x = F.max_pool2d(F.relu(F.conv2d(x, *first)), 2)
            x = F.relu(x + F.conv2d(F.relu(F.conv2d(x, *second, padding=1)), *third, padding=1))
        return F.linear(x.flatten(1), *layers[6])
