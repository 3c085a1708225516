"""In the style of a worksheet: both blocks written out in forward, the second one in another order."""

import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Worksheet"
PLANTED = "the second block is x + relu(F(x)); the lecture's is relu(x + F(x))"
WHERE = "rblock2"
KINDS = ["ReLU", "addition", "activation"]


class Worksheet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 5)
        self.r1a = nn.Conv2d(16, 16, 3, padding=1)
        self.r1b = nn.Conv2d(16, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 5)
        self.r2a = nn.Conv2d(32, 32, 3, padding=1)
        self.r2b = nn.Conv2d(32, 32, 3, padding=1)
        self.lin = nn.Linear(512, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        y = self.r1b(F.relu(self.r1a(x)))
        x = F.relu(x + y)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        y = self.r2b(F.relu(self.r2a(x)))
        x = x + F.relu(y)
        return self.lin(x.flatten(1))
