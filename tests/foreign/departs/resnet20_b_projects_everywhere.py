"""In the style of a block that tests its output width against the wrong number."""

import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20@b"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Everywhere"
PLANTED = "a 1×1 projection in the first unit too, whose shape does not change"
WHERE = "conv2_x.0"
KINDS = ["projection", "option C", "1×1", "shortcut", "identity"]


class ResBlock(nn.Module):
    EXPANSION = 4

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
        self.skip = None
        if n_in != self.EXPANSION * n_out:
            self.skip = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.skip(x) if self.skip else x))


class Everywhere(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.bn0 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.res1, self.res2, self.res3 = ResBlock(16, 16, 1), ResBlock(16, 32, 2), ResBlock(32, 64, 2)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn0(self.conv0(x)))
        x = self.res3(self.res2(self.res1(x)))
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))
