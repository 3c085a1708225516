"""In the style of a file where only the stem was written by hand."""

import torch
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Stemmed"
PLANTED = "the first convolution has a bias, although a normalisation follows"
WHERE = "conv1"
KINDS = ["bias"]


class ConvBN(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        return self.bn(self.conv(x))


class ZeroPad(nn.Module):
    def forward(self, x):
        x = x[:, :, ::2, ::2]
        return torch.cat([x, x.new_zeros(x.shape)], 1)


class Add(nn.Module):
    def __init__(self, main, skip):
        super().__init__()
        self.main, self.skip = main, skip

    def forward(self, x):
        return torch.relu(self.main(x) + self.skip(x))


class Stemmed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.one = Add(nn.Sequential(ConvBN(16, 16), nn.ReLU(), ConvBN(16, 16)), nn.Identity())
        self.two = Add(nn.Sequential(ConvBN(16, 32, 2), nn.ReLU(), ConvBN(32, 32)), ZeroPad())
        self.three = Add(nn.Sequential(ConvBN(32, 64, 2), nn.ReLU(), ConvBN(64, 64)), ZeroPad())
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.three(self.two(self.one(self.stem(x)))).flatten(2).mean(2))
