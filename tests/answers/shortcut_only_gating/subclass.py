"""Shortcut-only gating as a special case of the exclusive gate."""
import torch
from torch import nn


class ExclusiveGatingBlock(nn.Module):
    def __init__(self, channels, gate_bias):
        super().__init__()
        self.conv_gate = nn.Conv2d(channels, channels, 1)
        self.conv_a = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_b = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.conv_gate.bias.copy_(torch.full_like(self.conv_gate.bias, gate_bias))

    def on_branch(self, g):
        return g

    def on_shortcut(self, g):
        return 1 - g

    def forward(self, x):
        g = self.conv_gate(x).sigmoid()
        f = self.conv_b(self.conv_a(x).relu())
        return (self.on_shortcut(g) * x + self.on_branch(g) * f).relu()


class ShortcutOnlyGatingBlock(ExclusiveGatingBlock):
    def on_branch(self, g):
        return 1.0
