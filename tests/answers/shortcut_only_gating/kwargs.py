import torch
import torch.nn as nn
import torch.nn.functional as F


def make_conv(channels, size, **options):
    return nn.Conv2d(channels, channels, size, padding=(size - 1) // 2, **options)


class ShortcutOnlyGatingBlock(nn.Module):
    def __init__(self, channels, gate_bias, **options):
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: make_conv(channels, size, **options) for name, size in [("F1", 3), ("gate", 1), ("F2", 3)]}
        )
        torch.nn.init.constant_(self.layers["gate"].bias, val=gate_bias)

    def forward(self, x):
        f1, f2, gate = (self.layers[k] for k in ("F1", "F2", "gate"))
        # 1 - sigmoid(z) = sigmoid(-z)
        keep = torch.sigmoid(-gate(x))
        return F.relu(torch.addcmul(f2(F.relu(f1(x))), keep, x))
