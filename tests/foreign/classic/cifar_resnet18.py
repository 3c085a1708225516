"""In the style of every second course: "ResNet-18 for CIFAR", ImageNet's widths behind a 3×3 stem without a pool, 11.17M parameters."""

import torch.nn as nn

AGAINST = "resnet20"
OPTIONS = {}
INPUT = (3, 32, 32)
CALLABLE = "CourseResNet18()"
PLANTED = "a stem of 64 channels and four stages of 64 to 512; the paper's CIFAR networks have three, of 16, 32 and 64"
WHERE = "conv1"
KINDS = ["maps", "64"]


class Residual(nn.Module):
    def __init__(self, cin, cout, first_stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(cin, cout, 3, stride=first_stride, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(),
            nn.Conv2d(cout, cout, 3, stride=1, padding=1, bias=False),
            nn.BatchNorm2d(cout),
        )
        self.skip = nn.Sequential()
        if first_stride != 1 or cin != cout:
            self.skip.append(nn.Conv2d(cin, cout, 1, stride=first_stride, bias=False))
            self.skip.append(nn.BatchNorm2d(cout))
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.body(x) + self.skip(x))


def group(cin, cout, stride):
    return nn.Sequential(Residual(cin, cout, stride), Residual(cout, cout, 1))


class CourseResNet18(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.prep = nn.Sequential(nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.group1 = group(64, 64, 1)
        self.group2 = group(64, 128, 2)
        self.group3 = group(128, 256, 2)
        self.group4 = group(256, 512, 2)
        self.pool = nn.AvgPool2d(4)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, images):
        maps = self.prep(images)
        maps = self.group1(maps)
        maps = self.group2(maps)
        maps = self.group3(maps)
        maps = self.group4(maps)
        return self.fc(self.pool(maps).squeeze(-1).squeeze(-1))
