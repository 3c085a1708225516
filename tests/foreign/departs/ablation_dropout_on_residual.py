"""In the style of a wide residual network: dropout goes where the weights are."""

import torch.nn.functional as F
from torch import nn

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 8, "shortcut": "dropout"}
INPUT = (3, 32, 32)
CALLABLE = "Wide"
PLANTED = "dropout stands at the end of the residual branch, the paper's on the shortcut"
WHERE = ""
KINDS = ["dropout"]


class WideUnit(nn.Module):
    def __init__(self, i, o, p=0.5):
        super().__init__()
        self.extra, self.stride, self.p = o - i, o // i, p
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, o // i, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        y = F.dropout(y, self.p, self.training)
        x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(x + y)


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.group0, self.group1, self.group2 = WideUnit(16, 16), WideUnit(16, 32), WideUnit(32, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = self.group2(self.group1(self.group0(x)))
        return self.fc(F.avg_pool2d(x, 8).flatten(1))
