"""In the style of a debugging session: the shortcut of one block is still commented out."""

import torch
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Debugged"
PLANTED = "the first block has no shortcut: relu(F(x)) in place of relu(x + F(x))"
WHERE = "rblock1"
KINDS = ["shortcut", "addition", "identity"]


class Debugged(nn.Module):
    def __init__(self):
        super().__init__()
        self.entry, self.second = nn.Conv2d(1, 16, 5), nn.Conv2d(16, 32, 5)
        self.f = nn.ModuleList([nn.Conv2d(w, w, 3, 1, 1) for w in (16, 16, 32, 32)])
        self.out = nn.Linear(512, 10)

    def block(self, i, x):
        y = self.f[i](x)
        y = torch.relu(y)
        y = self.f[i + 1](y)
        if i > 0:  # check the branch of the first block alone
            y = y + x
        return torch.relu(y)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.entry(x)), 2)
        x = self.block(0, x)
        x = torch.max_pool2d(torch.relu(self.second(x)), 2)
        x = self.block(2, x)
        return self.out(x.reshape(len(x), -1))
