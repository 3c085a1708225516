"""In the style of an edit of the original unit: one old ReLU survived behind an addition."""

import torch.nn.functional as F
from torch import nn

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Edited"
PLANTED = "a ReLU behind the addition of the second unit of conv2_x"
WHERE = "conv2_x.1"
KINDS = ["ReLU", "activation", "addition"]


class Act(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.bn = nn.BatchNorm2d(n)

    def forward(self, x):
        return F.relu(self.bn(x))


class EditedUnit(nn.Module):
    def __init__(self, i, o, before=True, after=False):
        super().__init__()
        self.i, self.o, self.after = i, o, after
        self.pre = Act(i) if before else nn.Identity()
        self.conv1, self.mid = nn.Conv2d(i, o, 3, o // i, 1, bias=False), Act(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)

    def forward(self, x):
        y = self.conv2(self.mid(self.conv1(self.pre(x))))
        if self.o > self.i:
            x = F.pad(F.avg_pool2d(x, 1, 2), (0, 0, 0, 0, 0, self.o - self.i))
        y = y + x
        return F.relu(y) if self.after else y


class Edited(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 16, 3, 1, 1, bias=False), Act(16)
        self.s1 = nn.Sequential(EditedUnit(16, 16, before=False), EditedUnit(16, 16, after=True))
        self.s2 = nn.Sequential(EditedUnit(16, 32), EditedUnit(32, 32))
        self.s3 = nn.Sequential(EditedUnit(32, 64), EditedUnit(64, 64))
        self.final, self.fc = Act(64), nn.Linear(64, 10)

    def forward(self, x):
        x = self.s3(self.s2(self.s1(self.act(self.conv(x)))))
        return self.fc(self.final(x).mean((2, 3)))
