"""In the style of the well-known ports: drop_rate is an argument of the dense layer, and nothing else has heard of it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 16, "bottleneck": True, "compression": 0.5, "dropout": 0.2}
INPUT = (3, 32, 32)
CALLABLE = "DenseBC(drop_rate=0.2)"
PLANTED = "dropout behind the 3×3 of a layer only, neither behind its 1×1 nor in the transitions"
WHERE = "dense_block_1.0"
KINDS = ["dropout"]


class BCLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.squeeze_norm = nn.BatchNorm2d(inputs)
        self.squeeze = nn.Conv2d(inputs, bn_size * growth, kernel_size=1, bias=False)
        self.produce_norm = nn.BatchNorm2d(bn_size * growth)
        self.produce = nn.Conv2d(bn_size * growth, growth, kernel_size=3, padding=1, bias=False)
        self.drop_rate = float(drop_rate)

    def bottleneck(self, maps: list[Tensor]) -> Tensor:
        joined = torch.cat(maps, 1)
        return self.squeeze(F.relu(self.squeeze_norm(joined)))

    def forward(self, maps: list[Tensor]) -> Tensor:
        new = self.produce(F.relu(self.produce_norm(self.bottleneck(maps))))
        if self.drop_rate > 0:
            new = F.dropout(new, p=self.drop_rate, training=self.training)
        return new


class BCBlock(nn.ModuleDict):
    def __init__(self, layers: int, inputs: int, growth: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        for i in range(layers):
            self[f"layer{i + 1}"] = BCLayer(inputs + i * growth, growth, bn_size, drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.values():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class Shrink(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm, self.relu = nn.BatchNorm2d(inputs), nn.ReLU()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseBC(nn.Module):
    def __init__(self, growth=12, blocks=(2, 2, 2), bn_size=4, theta=0.5, drop_rate=0.0, num_classes=10) -> None:
        super().__init__()
        width = 2 * growth
        self.features = nn.Sequential(nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False))
        for i, layers in enumerate(blocks):
            self.features.add_module(f"block{i + 1}", BCBlock(layers, width, growth, bn_size, drop_rate))
            width += layers * growth
            if i + 1 < len(blocks):
                self.features.add_module(f"shrink{i + 1}", Shrink(width, int(width * theta)))
                width = int(width * theta)
        self.features.add_module("norm", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.features(x))
        pooled = F.adaptive_avg_pool2d(features, (1, 1))
        return self.classifier(torch.flatten(pooled, 1))
