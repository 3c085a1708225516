# 用 Lazy 层：输入通道数让 torch 自己推出来，1408 也不用算
import torch
from torch import nn
from torch.nn import functional as F


class InceptionA(nn.Module):
    def __init__(self):
        super().__init__()
        self.p1 = nn.LazyConv2d(24, 1)
        self.p2 = nn.LazyConv2d(16, 1)
        self.p3_1, self.p3_2 = nn.LazyConv2d(16, 1), nn.LazyConv2d(24, 5, padding=2)
        self.p4_1, self.p4_2, self.p4_3 = (
            nn.LazyConv2d(16, 1), nn.LazyConv2d(24, 3, padding=1), nn.LazyConv2d(24, 3, padding=1))

    def forward(self, x):
        return torch.cat([
            self.p1(F.avg_pool2d(x, 3, stride=1, padding=1)),
            self.p2(x),
            self.p3_2(self.p3_1(x)),
            self.p4_3(self.p4_2(self.p4_1(x))),
        ], dim=1)


class LectureInception(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.LazyConv2d(10, 5)
        self.conv2 = nn.LazyConv2d(20, 5)
        self.incep1 = InceptionA()
        self.incep2 = InceptionA()
        self.fc = nn.LazyLinear(10)

    def forward(self, x):
        # 先激活再池化，结果一样
        x = self.incep1(F.max_pool2d(F.relu(self.conv1(x)), 2))
        x = self.incep2(F.max_pool2d(F.relu(self.conv2(x)), 2))
        return self.fc(x.reshape(len(x), -1))
