"""In the style of timm's densenet264d: k = 48 and a stem of three 3×3, under the name of the paper's DenseNet-264."""

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "densenet264"
OPTIONS = {"layers": (1, 2, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "densenet264d(block_config=(1, 2, 1, 1), num_classes=10)"
PLANTED = "a stem of three 3×3 convolutions for the paper's one 7×7, and growth rate 48 for 32"
WHERE = "conv1"
KINDS = ["7×7", "3×3", "stem", "kernel", "growth", "channels", "48", "32"]


class DenseLayer(nn.Module):
    def __init__(self, num_input_features, growth_rate, bn_size=4):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(num_input_features), nn.Conv2d(num_input_features, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, xs):
        x = self.conv1(F.relu(self.norm1(torch.cat(xs, 1)), inplace=True))
        return self.conv2(F.relu(self.norm2(x), inplace=True))


class DenseBlock(nn.ModuleList):
    def forward(self, x):
        features = [x]
        for layer in self:
            features.append(layer(features))
        return torch.cat(features, 1)


def conv_norm_act(n_in, n_out, k, s):
    return nn.Sequential(nn.Conv2d(n_in, n_out, k, s, k // 2, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


def transition(n_in):
    return nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU(inplace=True), nn.Conv2d(n_in, n_in // 2, 1, bias=False), nn.AvgPool2d(2, 2))


def stem(kind, width):
    if kind == "deep":
        convs = [conv_norm_act(3, width // 2, 3, 2), conv_norm_act(width // 2, width // 2, 3, 1), conv_norm_act(width // 2, width, 3, 1)]
    else:
        convs = [conv_norm_act(3, width, 7, 2)]
    return nn.Sequential(*convs, nn.MaxPool2d(3, 2, 1))


class DenseNet(nn.Module):
    def __init__(self, growth_rate, block_config, num_classes, stem_type=""):
        super().__init__()
        width = 2 * growth_rate
        self.features = nn.Sequential(stem(stem_type, width))
        for i, num_layers in enumerate(block_config):
            self.features.append(DenseBlock(DenseLayer(width + j * growth_rate, growth_rate) for j in range(num_layers)))
            width += num_layers * growth_rate
            if i != len(block_config) - 1:
                self.features.append(transition(width))
                width //= 2
        self.features.append(nn.BatchNorm2d(width)).append(nn.ReLU(inplace=True))
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def densenet264d(block_config=(6, 12, 64, 48), num_classes=1000):
    """DenseNet-264 of the paper."""
    return DenseNet(48, block_config, num_classes, stem_type="deep")
