import torch
from torch.nn import AvgPool2d, Conv2d, Module, ModuleList, Sequential


class InceptionA(Module):
    def __init__(self, c):
        super().__init__()
        self.branches = ModuleList([
            Conv2d(c, 16, 1),
            Sequential(Conv2d(c, 16, 1), Conv2d(16, 24, 5, padding=2)),
            Sequential(Conv2d(c, 16, 1), Conv2d(16, 24, 3, padding=1), Conv2d(24, 24, 3, padding=1)),
            Sequential(AvgPool2d(3, 1, 1), Conv2d(c, 24, 1)),
        ])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)
