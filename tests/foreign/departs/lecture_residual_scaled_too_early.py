"""In the style of the transcription that draws the 0.5 in front of the convolutions."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_residual_scaled"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Transcribed"
PLANTED = "in the first block the branch gets 0.5·x: relu(0.5·x + F(0.5·x)), where the exercise scales behind the convolutions"
WHERE = "rblock1"
KINDS = ["scal", "factor", "0.5"]


class Transcribed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stems = nn.ModuleList([nn.Conv2d(1, 16, 5), nn.Conv2d(16, 32, 5)])
        self.ins = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)])
        self.outs = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)])
        self.fc = nn.Linear(512, 10)

    def branch(self, i, x):
        return self.outs[i](F.relu(self.ins[i](x)))

    def down(self, i, x):
        return F.max_pool2d(F.relu(self.stems[i](x)), 2)

    def forward(self, x):
        x = self.down(0, x)
        half = 0.5 * x
        x = F.relu(half + self.branch(0, half))
        x = self.down(1, x)
        x = F.relu(0.5 * x + 0.5 * self.branch(1, x))
        return self.fc(torch.flatten(x, start_dim=1))
