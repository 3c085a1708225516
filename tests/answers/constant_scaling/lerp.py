import torch
from torch import nn


class ConstantScalingBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x):
        # half way between x and F(x)
        return torch.lerp(x, self.branch(x), 0.5).relu()
