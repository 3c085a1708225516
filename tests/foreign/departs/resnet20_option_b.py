"""In the style of most course repositories: 1×1 projections with BN where the paper pads zeros on CIFAR."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "resnet(14)"
PLANTED = "1×1 projections (option B) where the shape changes; the paper's CIFAR networks have option A"
WHERE = ""
KINDS = ["projection", "option B", "option A", "@b", "1×1"]


class Basic(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.down = None
        if stride != 1:
            self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (self.down(x) if self.down is not None else x))


class CourseNet(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.prep = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        rows = [(16, 16, 1)] * n + [(16, 32, 2)] + [(32, 32, 1)] * (n - 1) + [(32, 64, 2)] + [(64, 64, 1)] * (n - 1)
        self.layers = nn.ModuleList([Basic(*row) for row in rows])
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        out = F.relu(self.prep(x))
        for layer in self.layers:
            out = layer(out)
        return self.linear(F.avg_pool2d(out, 8).flatten(1))


def resnet(depth):
    return CourseNet((depth - 2) // 6)
