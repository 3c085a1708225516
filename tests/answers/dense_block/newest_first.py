# 稠密块：新的特征图放在最前面
import torch
import torch.nn as nn
import torch.nn.functional as F


class DenseBlock(nn.Module):
    def __init__(self, num_layers, in_channels, growth_rate):
        super().__init__()
        kuan = [in_channels + i * growth_rate for i in range(num_layers)]
        self.juan = nn.ModuleList([nn.Conv2d(c, growth_rate, 3, 1, 1, bias=False) for c in kuan])
        self.gui = nn.ModuleList([nn.BatchNorm2d(c) for c in kuan])

    def forward(self, x):
        for bn, conv in zip(self.gui, self.juan):
            x = torch.concat((conv(F.relu(bn(x))), x), -3)
        return x
