"""In the style of a Torch7 port: add() functions that grow one list, composite layers spelled out, checks by assert."""

import torch
from torch import nn

AGAINST = "densenet_40_12"
OPTIONS = {"depth": 16}
INPUT = (3, 32, 32)
CALLABLE = "create_model(depth=16, growth_rate=12)"


class DenseConnectLayer(nn.Module):
    def __init__(self, n_in, n_new):
        super().__init__()
        self.inner = nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU(True), nn.Conv2d(n_in, n_new, (3, 3), (1, 1), (1, 1), bias=False))

    def forward(self, *features):
        return self.inner(torch.cat(features, 1))


class DenseStage(nn.Module):
    def __init__(self, n_in, n_new, layers):
        super().__init__()
        self.members = nn.ModuleList(DenseConnectLayer(n_in + n_new * i, n_new) for i in range(layers))

    def forward(self, x):
        features = (x,)
        for member in self.members:
            features = (*features, member(*features))
        return torch.cat(features, 1)


def create_model(depth, growth_rate, classes=10):
    assert (depth - 4) % 3 == 0
    per_stage = (depth - 4) // 3
    model, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)], 16

    def add_stage():
        nonlocal channels
        model.append(DenseStage(channels, growth_rate, per_stage))
        channels += growth_rate * per_stage

    def add_transition():
        model.extend([nn.BatchNorm2d(channels), nn.ReLU(True), nn.Conv2d(channels, channels, 1, bias=False), nn.AvgPool2d(2)])

    add_stage()
    add_transition()
    add_stage()
    add_transition()
    add_stage()
    model.extend([nn.BatchNorm2d(channels), nn.ReLU(True), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(channels, classes)])
    net = nn.Sequential(*model)
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d)):
        nn.init.normal_(conv.weight, 0, (2 / (conv.kernel_size[0] * conv.kernel_size[1] * conv.out_channels)) ** 0.5)
    return net
