"""In the style of a modern port that leaves the old normalisation out without a word."""

import torch
from torch import nn

AGAINST = "googlenet"
OPTIONS = {"auxiliary": False, "classes": 20}
INPUT = (3, 64, 64)
CALLABLE = "Googlenet(classes=20)"
PLANTED = "no local response normalisation, neither behind the first pool nor behind conv2"
WHERE = ""
KINDS = ["local response", "LRN", "response norm"]


class ConvReLU(nn.Sequential):
    def __init__(self, i, o, k, s=1):
        super().__init__(nn.Conv2d(i, o, k, s, k // 2), nn.ReLU(inplace=True))


class Inception(nn.Module):
    def __init__(self, i, n1, r3, n3, r5, n5, p):
        super().__init__()
        self.b1 = ConvReLU(i, n1, 1)
        self.b2 = nn.Sequential(ConvReLU(i, r3, 1), ConvReLU(r3, n3, 3))
        self.b3 = nn.Sequential(ConvReLU(i, r5, 1), ConvReLU(r5, n5, 5))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvReLU(i, p, 1))

    def forward(self, x):
        return torch.cat((self.b1(x), self.b2(x), self.b3(x), self.b4(x)), 1)


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


class Googlenet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.pre_layers = nn.Sequential(ConvReLU(3, 64, 7, 2), pool(), ConvReLU(64, 64, 1), ConvReLU(64, 192, 3), pool())
        self.a3, self.b3 = Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64)
        self.a4, self.b4 = Inception(480, 192, 96, 208, 16, 48, 64), Inception(512, 160, 112, 224, 24, 64, 64)
        self.c4, self.d4 = Inception(512, 128, 128, 256, 24, 64, 64), Inception(512, 112, 144, 288, 32, 64, 64)
        self.e4 = Inception(528, 256, 160, 320, 32, 128, 128)
        self.a5, self.b5 = Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128)
        self.maxpool, self.avgpool = pool(), nn.AdaptiveAvgPool2d(1)
        self.dropout, self.linear = nn.Dropout(0.4), nn.Linear(1024, classes)

    def forward(self, x):
        x = self.maxpool(self.b3(self.a3(self.pre_layers(x))))
        x = self.e4(self.d4(self.c4(self.b4(self.a4(x)))))
        x = self.b5(self.a5(self.maxpool(x)))
        return self.linear(self.dropout(self.avgpool(x).flatten(1)))
