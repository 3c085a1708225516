"""In the style of torchvision, timm and flax: the bottleneck's stride is in its 3×3 (v1.5)."""

import torch
from torch import nn

AGAINST = "resnet50"
OPTIONS = {"units": (1, 2, 1, 1), "classes": 10}
INPUT = (3, 64, 64)
CALLABLE = "_resnet([1, 2, 1, 1], 10)"
PLANTED = "the stride of every bottleneck that halves the map is in its 3×3, not in its first 1×1"
WHERE = ""
KINDS = ["stride", "v1.5", "@v15"]


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1, self.bn1 = conv1x1(inplanes, planes), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = conv3x3(planes, planes, stride), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = conv1x1(planes, planes * self.expansion), nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, layers, num_classes):
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(64, layers[0])
        self.layer2 = self._make_layer(128, layers[1], stride=2)
        self.layer3 = self._make_layer(256, layers[2], stride=2)
        self.layer4 = self._make_layer(512, layers[3], stride=2)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(2048, num_classes)

    def _make_layer(self, planes, blocks, stride=1):
        wide = planes * Bottleneck.expansion
        downsample = nn.Sequential(conv1x1(self.inplanes, wide, stride), nn.BatchNorm2d(wide))
        layers = [Bottleneck(self.inplanes, planes, stride, downsample)]
        self.inplanes = wide
        return nn.Sequential(*layers, *[Bottleneck(wide, planes) for _ in range(1, blocks)])

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _resnet(layers, num_classes):
    return ResNet(layers, num_classes)
