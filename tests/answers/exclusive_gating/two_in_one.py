"""Both gated blocks of Fig. 2 (c, d) in one class; the exercise's name is a partial of it."""
from functools import partial

from torch import nn


class GatedBlock(nn.Module):
    def __init__(self, channels, gate_bias, *, gate_the_branch):
        super().__init__()
        self.gate_the_branch = gate_the_branch
        self.f = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.ReLU(), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        self.g = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())
        self.g[0].bias.data.fill_(gate_bias)

    def forward(self, x):
        g, f = self.g(x), self.f(x)
        if self.gate_the_branch:
            f = g * f
        return nn.functional.relu(f + (1 - g) * x)


ExclusiveGatingBlock = partial(GatedBlock, gate_the_branch=True)
ShortcutOnlyGatingBlock = partial(GatedBlock, gate_the_branch=False)
