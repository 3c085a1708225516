from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class InceptionConfig:
    one: int = 16
    reduce: int = 16
    five: int = 24
    three: int = 24
    pool: int = 24

    @property
    def width(self) -> int:
        return self.one + self.five + self.three + self.pool


@dataclass(frozen=True)
class NetConfig:
    channels: tuple[int, int] = (10, 20)
    kernel: int = 5
    side: int = 4
    classes: int = 10


class InceptionA(nn.Module):
    def __init__(self, in_channels: int, cfg: InceptionConfig = InceptionConfig()) -> None:
        super().__init__()
        self.one: nn.Conv2d = nn.Conv2d(in_channels, cfg.one, 1)
        self.five: nn.Sequential = nn.Sequential(
            nn.Conv2d(in_channels, cfg.reduce, 1),
            nn.Conv2d(cfg.reduce, cfg.five, 5, padding=2),
        )
        self.three: nn.Sequential = nn.Sequential(
            nn.Conv2d(in_channels, cfg.reduce, 1),
            nn.Conv2d(cfg.reduce, cfg.three, 3, padding=1),
            nn.Conv2d(cfg.three, cfg.three, 3, padding=1),
        )
        self.pool: nn.Sequential = nn.Sequential(
            nn.AvgPool2d(kernel_size=3, stride=1, padding=1),
            nn.Conv2d(in_channels, cfg.pool, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        parts: list[Tensor] = [self.three(x), self.pool(x), self.one(x), self.five(x)]
        return torch.concat(parts, dim=1)


class LectureInception(nn.Module):
    def __init__(self, net: NetConfig = NetConfig(), inception: InceptionConfig = InceptionConfig()) -> None:
        super().__init__()
        first, second = net.channels
        self.stem: nn.Conv2d = nn.Conv2d(1, first, net.kernel)
        self.mixed1: InceptionA = InceptionA(first, inception)
        self.middle: nn.Conv2d = nn.Conv2d(inception.width, second, net.kernel)
        self.mixed2: InceptionA = InceptionA(second, inception)
        self.head: nn.Linear = nn.Linear(inception.width * net.side**2, net.classes)
        self.shrink: nn.MaxPool2d = nn.MaxPool2d(2)

    def features(self, x: Tensor) -> Tensor:
        x = self.mixed1(self.shrink(self.stem(x)).relu())
        return self.mixed2(self.shrink(self.middle(x)).relu())

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(start_dim=1))
