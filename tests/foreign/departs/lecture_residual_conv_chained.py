"""In the style of a variable reused too early: x is overwritten by its own shortcut."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "lecture_residual_conv"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Overwritten"
PLANTED = "in the second block the residual branch is fed by the 1×1 shortcut's output, not by the block's input"
WHERE = "rblock2"
KINDS = ["fed", "input", "branch", "shortcut"]


class Overwritten(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem1, self.stem2 = nn.Conv2d(1, 16, 5), nn.Conv2d(16, 32, 5)
        self.short1, self.short2 = nn.Conv2d(16, 16, 1), nn.Conv2d(32, 32, 1)
        self.a1, self.b1 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.a2, self.b2 = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem1(x)), 2)
        y = self.b1(F.relu(self.a1(x)))
        x = self.short1(x)
        x = F.relu(x + y)
        x = F.max_pool2d(F.relu(self.stem2(x)), 2)
        x = self.short2(x)
        y = self.b2(F.relu(self.a2(x)))
        x = F.relu(x + y)
        return self.fc(x.flatten(1))
