"""In the style of an init loop over the units that keep their shape, and over one of those that do not."""

import torch
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "exclusive_gating"}
INPUT = (3, 32, 32)
CALLABLE = "build()"
PLANTED = "the gate of the first unit of conv3_x starts with bias 0, the others with −6"
WHERE = "conv3_x.0"
KINDS = ["bias", "−6", "-6"]


class Unit(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, o // i, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.gate = nn.Conv2d(o, o, 1)

    def forward(self, x):
        f = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if f.shape != x.shape:
            x = x[:, :, ::2, ::2]
            x = torch.cat([x, torch.zeros_like(x)], 1)
        g = torch.sigmoid(self.gate(x))
        return torch.relu((1 - g) * x + g * f)


class Gates(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.conv32, self.conv16, self.conv8 = Unit(16, 16), Unit(16, 32), Unit(32, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.conv8(self.conv16(self.conv32(self.stem(x)))).mean((2, 3)))


def build():
    net = Gates()
    nn.init.constant_(net.conv32.gate.bias, -6)
    nn.init.constant_(net.conv16.gate.bias, 0)
    nn.init.constant_(net.conv8.gate.bias, -6)
    return net
