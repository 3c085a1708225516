"""In the style of torchvision: every layer gets the list of all features so far and joins them itself; pieces from a helper file."""

from collections import OrderedDict

import torch
from helpers_layers import DenseBlockOfLists, Mean
from torch import nn

AGAINST = "lecture_densenet"
OPTIONS = {"num_layers": 2, "growth_rate": 6}
INPUT = (1, 28, 28)
CALLABLE = "densenet(block_config=(2, 2, 2), growth_rate=6)"


class _Transition(nn.Sequential):
    def __init__(self, num_features):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features)
        self.conv = nn.Conv2d(num_features, num_features, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class ListDenseNet(nn.Module):
    def __init__(self, block_config, growth_rate):
        super().__init__()
        self.features = nn.Sequential(OrderedDict([("conv0", nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False))]))
        width = 16
        for number, layers in enumerate(block_config):
            if number:
                self.features.add_module(f"transition{number}", _Transition(width))
            self.features.add_module(f"denseblock{number + 1}", DenseBlockOfLists(layers, width, growth_rate))
            width += layers * growth_rate
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.mean = Mean()
        self.classifier = nn.Linear(width, 10)

    def forward(self, x):
        return self.classifier(self.mean(torch.relu(self.features(x))))


def densenet(block_config, growth_rate):
    return ListDenseNet(block_config, growth_rate)
