import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ShortcutOnlyGatingBlock(nn.Module):
    def __init__(self, channels: int, gate_bias: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.gate = nn.Conv2d(channels, channels, kernel_size=1)
        nn.init.constant_(self.gate.bias, gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = F.relu(y)
        y = self.conv2(y)
        g = self.gate(x)
        g = torch.sigmoid(g)
        x = (1 - g) * x
        y = F.relu(y)
        y = x + y
        return y
