"""In the style of a flat script: thirteen names, one normalisation forgotten."""

import torch.nn as nn
import torch.nn.functional as F

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Script"
PLANTED = "no batch normalisation behind the second 3×3 of the first unit"
WHERE = "conv2_x.0"
KINDS = ["BN", "batch", "norm"]


def c(i, o, s=1):
    return nn.Conv2d(i, o, kernel_size=3, stride=s, padding=1, bias=False)


class Script(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = c(3, 16), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = c(16, 16), nn.BatchNorm2d(16)
        self.conv3 = c(16, 16)
        self.conv4, self.bn4 = c(16, 32, 2), nn.BatchNorm2d(32)
        self.conv5, self.bn5 = c(32, 32), nn.BatchNorm2d(32)
        self.conv6, self.bn6 = c(32, 64, 2), nn.BatchNorm2d(64)
        self.conv7, self.bn7 = c(64, 64), nn.BatchNorm2d(64)
        self.fc8 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(x + self.conv3(y))
        y = F.relu(self.bn4(self.conv4(x)))
        x = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8)) + self.bn5(self.conv5(y)))
        y = F.relu(self.bn6(self.conv6(x)))
        x = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 16, 16)) + self.bn7(self.conv7(y)))
        return self.fc8(F.avg_pool2d(x, 8).view(-1, 64))
