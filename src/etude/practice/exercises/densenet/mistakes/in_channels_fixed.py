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
            self.layers.append(DenseLayer(in_channels + i * growth_rate, growth_rate))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.layers:
            seen = torch.cat(maps, dim=1)
            new = layer(seen)
            maps.append(new)
        return torch.cat(maps, dim=1)


class Transition(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        x = F.relu(x)
        x = self.conv(x)
        return F.avg_pool2d(x, kernel_size=2)


class DenseNet(nn.Module):
    def __init__(self, depth: int, growth_rate: int) -> None:
        super().__init__()
        num_layers = (depth - 4) // 3
        channels = 16
        self.stem = nn.Conv2d(3, channels, kernel_size=3, padding=1, bias=False)
        self.block1 = DenseBlock(num_layers, channels, growth_rate)
        self.transition1 = Transition(channels, channels)
        self.block2 = DenseBlock(num_layers, channels, growth_rate)
        self.transition2 = Transition(channels, channels)
        self.block3 = DenseBlock(num_layers, channels, growth_rate)
        self.norm = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.block1(x)
        x = self.transition1(x)
        x = self.block2(x)
        x = self.transition2(x)
        x = self.block3(x)
        x = self.norm(x)
        x = F.relu(x)
        x = F.adaptive_avg_pool2d(x, 1)
        x = torch.flatten(x, start_dim=1)
        return self.fc(x)


def densenet(depth: int, growth_rate: int) -> nn.Module:
    return DenseNet(depth, growth_rate)
