"""Pieces that some of the faithful files share, as many repositories keep them in a utils file."""

import torch
from torch import nn


class Mean(nn.Module):
    """Global average pooling."""

    def forward(self, x):
        return x.flatten(2).mean(-1)


class DenseLayerOfLists(nn.Module):
    """Norm, ReLU, 3×3 on the concatenation of a list of maps."""

    def __init__(self, num_input_features, growth_rate):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, features):
        return self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))


class DenseBlockOfLists(nn.ModuleDict):
    """Keeps all maps in a list; joins them at every layer and at the end."""

    def __init__(self, num_layers, num_input_features, growth_rate):
        super().__init__()
        for i in range(num_layers):
            self.add_module(f"denselayer{i + 1}", DenseLayerOfLists(num_input_features + i * growth_rate, growth_rate))

    def forward(self, x):
        features = [x]
        for _, layer in self.items():
            features.append(layer(features))
        return torch.cat(features, 1)
