import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InceptionA(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pool_conv = nn.Conv2d(in_channels, 24, kernel_size=1)
        self.conv1x1 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.reduce5x5 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.conv5x5 = nn.Conv2d(16, 24, kernel_size=5, padding=2)
        self.reduce3x3 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.conv3x3_a = nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.conv3x3_b = nn.Conv2d(24, 24, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        a = self.pool_conv(a)
        a = F.relu(a)
        b = self.conv1x1(x)
        b = F.relu(b)
        c = self.reduce5x5(x)
        c = F.relu(c)
        c = self.conv5x5(c)
        c = F.relu(c)
        d = self.reduce3x3(x)
        d = F.relu(d)
        d = self.conv3x3_a(d)
        d = F.relu(d)
        d = self.conv3x3_b(d)
        d = F.relu(d)
        return torch.cat([a, b, c, d], dim=1)


class LectureInception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.incep1 = InceptionA(10)
        self.conv2 = nn.Conv2d(88, 20, kernel_size=5)
        self.incep2 = InceptionA(20)
        self.mp = nn.MaxPool2d(2)
        self.fc = nn.Linear(1408, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.mp(x)
        x = F.relu(x)
        x = self.incep1(x)
        x = self.conv2(x)
        x = self.mp(x)
        x = F.relu(x)
        x = self.incep2(x)
        x = x.flatten(1)
        return self.fc(x)
