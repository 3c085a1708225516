import torch
from torch import nn


class _H(nn.Sequential):
    def __init__(self, channels, k):
        super().__init__()
        self.add_module("norm", nn.BatchNorm2d(channels))
        self.add_module("relu", nn.ReLU(inplace=True))
        self.add_module("conv", nn.Conv2d(channels, k, kernel_size=3, padding=1, bias=False))


class DenseBlock(nn.Module):
    def __init__(self, num_layers, in_channels, growth_rate):
        super().__init__()
        for i in range(num_layers):
            self.add_module(f"h{i + 1}", _H(in_channels + i * growth_rate, growth_rate))

    def forward(self, x0):
        features = [x0]
        for h in self.children():
            features.append(h(torch.cat(features, dim=1)))
        return torch.cat(features, dim=1)
