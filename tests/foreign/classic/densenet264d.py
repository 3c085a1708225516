"""In the style of a model zoo's entry point: the paper's name with a letter behind it, for k = 48 and a deep stem."""

from collections import OrderedDict

import torch
from torch import nn

AGAINST = "densenet264"
OPTIONS = {"layers": (1, 2, 1, 1), "growth_rate": 32, "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "densenet264d(block_config=(1, 2, 1, 1), num_classes=10)"
PLANTED = "k = 48 in place of 32, and three 3×3 convolutions in place of the 7×7 of the stem"
WHERE = "conv1"
KINDS = ["kernel", "maps", "conv"]


class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        return torch.relu(super().forward(x))


class ZooLayer(nn.Module):
    def __init__(self, num_features, growth_rate, bn_size=4):
        super().__init__()
        inner = bn_size * growth_rate
        self.norm1, self.conv1 = NormAct(num_features), nn.Conv2d(num_features, inner, 1, bias=False)
        self.norm2, self.conv2 = NormAct(inner), nn.Conv2d(inner, growth_rate, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat((x, self.conv2(self.norm2(self.conv1(self.norm1(x))))), dim=1)


def deep_stem(growth_rate, num_features):
    layers = OrderedDict()
    layers["conv0"] = nn.Conv2d(3, growth_rate, 3, stride=2, padding=1, bias=False)
    layers["norm0"] = NormAct(growth_rate)
    layers["conv1"] = nn.Conv2d(growth_rate, growth_rate, 3, padding=1, bias=False)
    layers["norm1"] = NormAct(growth_rate)
    layers["conv2"] = nn.Conv2d(growth_rate, num_features, 3, padding=1, bias=False)
    layers["norm2"] = NormAct(num_features)
    layers["pool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return nn.Sequential(layers)


class ZooDenseNet(nn.Module):
    def __init__(self, growth_rate, block_config, num_classes):
        super().__init__()
        num_features = 2 * growth_rate
        self.features = nn.Sequential(OrderedDict(stem=deep_stem(growth_rate, num_features)))
        for i, num_layers in enumerate(block_config, start=1):
            layers = [ZooLayer(num_features + j * growth_rate, growth_rate) for j in range(num_layers)]
            self.features.add_module(f"denseblock{i}", nn.Sequential(*layers))
            num_features += num_layers * growth_rate
            if i < len(block_config):
                conv = nn.Conv2d(num_features, num_features // 2, 1, bias=False)
                self.features.add_module(f"transition{i}", nn.Sequential(NormAct(num_features), conv, nn.AvgPool2d(2, stride=2)))
                num_features //= 2
        self.features.add_module("norm5", NormAct(num_features))
        self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(num_features, num_classes)

    def forward(self, x):
        return self.classifier(self.global_pool(self.features(x)))


def densenet264d(block_config=(6, 12, 64, 48), num_classes=1000):
    """DenseNet-264 from "Densely Connected Convolutional Networks"."""
    return ZooDenseNet(48, block_config, num_classes)
