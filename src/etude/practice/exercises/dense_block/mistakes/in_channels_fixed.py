import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        y = F.relu(y)
        return self.conv(y)


class DenseBlock(nn.Module):
    def __init__(self, num_layers: int, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(num_layers):
            self.layers.append(DenseLayer(in_channels, growth_rate))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            seen = torch.cat(maps, dim=1)
            new = layer(seen)
            maps.append(new)
        return torch.cat(maps, dim=1)
