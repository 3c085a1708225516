"""In the style of a collection of small CIFAR files: pre-activation everywhere, and the sums of the last unit go raw into the pool."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "PreActResNet14()"
PLANTED = "no BN and no ReLU between the last addition and the average pool"
WHERE = "activation_last"
KINDS = ["BN", "ReLU", "missing"]


def conv3x3(inp, outp, stride=1):
    return nn.Conv2d(inp, outp, kernel_size=3, stride=stride, padding=1, bias=False)


class FirstUnit(nn.Module):
    """What enters is already normalised and rectified, by the stem."""

    def __init__(self, ch):
        super().__init__()
        self.conv1, self.bn, self.conv2 = conv3x3(ch, ch), nn.BatchNorm2d(ch), conv3x3(ch, ch)

    def forward(self, x):
        y = self.conv1(x)
        y = self.conv2(F.relu(self.bn(y)))
        y += x
        return y


class PreActUnit(nn.Module):
    def __init__(self, inp, outp, stride):
        super().__init__()
        self.grow, self.stride = outp - inp, stride
        self.bn1, self.conv1 = nn.BatchNorm2d(inp), conv3x3(inp, outp, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outp), conv3x3(outp, outp)

    def side(self, x):
        if self.grow:
            x = F.max_pool2d(x, kernel_size=1, stride=self.stride)
            x = F.pad(x, [0, 0, 0, 0, 0, self.grow])
        return x

    def forward(self, x):
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y += self.side(x)
        return y


class PreActResNet(nn.Module):
    def __init__(self, per_stage, num_classes=10):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, 16), nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(FirstUnit(16), *(PreActUnit(16, 16, 1) for _ in range(per_stage - 1)))
        self.stage2 = self.stage(16, 32, per_stage)
        self.stage3 = self.stage(32, 64, per_stage)
        self.linear = nn.Linear(64, num_classes)

    @staticmethod
    def stage(inp, outp, units):
        return nn.Sequential(PreActUnit(inp, outp, 2), *(PreActUnit(outp, outp, 1) for _ in range(units - 1)))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.stage1(y)
        y = self.stage2(y)
        y = self.stage3(y)
        y = F.avg_pool2d(y, 8)
        return self.linear(y.reshape(len(y), -1))


def PreActResNet14():
    return PreActResNet(2)
