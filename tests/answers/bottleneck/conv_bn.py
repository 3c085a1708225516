from torch import nn


class ConvBN(nn.Sequential):
    def __init__(self, cin, cout, k, stride=1):
        super().__init__()
        self.append(nn.Conv2d(cin, cout, k, stride, k // 2, bias=False))
        self.append(nn.BatchNorm2d(cout))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, in_channels, width, stride=1):
        super().__init__()
        out = width * self.expansion
        same = in_channels == out and stride == 1
        self.shortcut = nn.Identity() if same else ConvBN(in_channels, out, 1, stride)
        self.reduce = ConvBN(in_channels, width, 1, stride)   # He 2015: the stride sits here
        self.spatial = ConvBN(width, width, 3)
        self.expand = ConvBN(width, out, 1)

    def forward(self, x):
        y = self.reduce(x).relu()
        y = self.spatial(y).relu()
        y = self.expand(y)
        return (y + self.shortcut(x)).relu()
