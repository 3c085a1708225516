import torch
from torch import nn


class ExclusiveGatingBlock(nn.Module):
    def __init__(self, channels, gate_bias=-6.0):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, kernel_size=1)
        nn.init.constant_(self.gate.bias, gate_bias)
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def residual(self, x):
        return self.conv2(torch.relu(self.conv1(x)))

    def forward(self, x):
        g = torch.special.expit(self.gate(x))
        # lerp(x, f, g) = x + g (f - x) = (1 - g) x + g f
        return torch.relu(torch.lerp(x, self.residual(x), g))
