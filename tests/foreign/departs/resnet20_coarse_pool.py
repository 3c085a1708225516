"""In the style of a copy from a 4-stage network: the last pool is 4×4, so four pixels are left."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "FourPixels"
PLANTED = "a 4×4 average pool in place of the global one; the fully connected layer sees 256 features"
WHERE = "fc"
KINDS = ["pool", "global", "256", "features"]


class Block(nn.Module):
    def __init__(self, inp, outp, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inp, outp, 3, stride, 1, bias=False), nn.BatchNorm2d(outp)
        self.conv2, self.bn2 = nn.Conv2d(outp, outp, 3, 1, 1, bias=False), nn.BatchNorm2d(outp)
        self.stride, self.extra = stride, outp - inp

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(out)


class FourPixels(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)
        self.linear = nn.Linear(256, 10)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.avg_pool2d(out, 4)
        return self.linear(out.view(out.size(0), -1))
