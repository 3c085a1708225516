"""In the style of a kernel engineer: every 1×1 convolution is a matrix product over pixels, strided by slicing first."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 1, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "MatmulResNet"


class Pointwise(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.stride = stride
        self.matrix = nn.Parameter(torch.empty(c_in, c_out))  # transposed, as a BLAS wants it
        self.bn = nn.BatchNorm2d(c_out)
        nn.init.kaiming_normal_(self.matrix, mode="fan_in")

    def forward(self, x):
        x = x[:, :, :: self.stride, :: self.stride]
        b, c, h, w = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(b * h * w, c)
        out = rows.mm(self.matrix).view(b, h, w, -1).permute(0, 3, 1, 2)
        return self.bn(out)


class Unit(nn.Module):
    def __init__(self, c_in, mid, stride):
        super().__init__()
        self.down, self.up = Pointwise(c_in, mid, stride), Pointwise(mid, 4 * mid)
        self.spatial, self.spatial_bn = nn.Conv2d(mid, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid)
        self.side = Pointwise(c_in, 4 * mid, stride) if c_in != 4 * mid else None

    def forward(self, x):
        y = F.relu(self.down(x))
        y = F.relu(self.spatial_bn(self.spatial(y)))
        y = self.up(y)
        return F.relu(y + (x if self.side is None else self.side(x)))


class MatmulResNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.entry, self.entry_bn = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.units = nn.ModuleList([Unit(64, 64, 1), Unit(256, 128, 2), Unit(512, 256, 2), Unit(1024, 512, 2)])
        self.weight = nn.Parameter(torch.randn(2048, classes) * 2048**-0.5)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.entry_bn(self.entry(x))), 3, 2, 1)
        for unit in self.units:
            x = unit(x)
        return torch.addmm(self.bias, x.mean(dim=(-2, -1)), self.weight)
