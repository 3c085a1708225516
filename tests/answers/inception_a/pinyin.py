# -*- coding: utf-8 -*-
# Inception 模块，四条支路，最后沿通道拼接
import torch
import torch.nn as nn
import torch.nn.functional as F


class InceptionA(nn.Module):
    def __init__(self, in_channels):
        super(InceptionA, self).__init__()
        self.tongdao = in_channels

        # 支路一：3x3 两次
        self.sansan_jiang = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.sansan_yi = nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.sansan_er = nn.Conv2d(24, 24, kernel_size=3, padding=1)
        # 支路二：5x5
        self.wuwu_jiang = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.wuwu = nn.Conv2d(16, 24, kernel_size=5, padding=2)
        # 支路三：1x1
        self.yiyi = nn.Conv2d(in_channels, 16, kernel_size=1)
        # 支路四：平均池化 = 每个通道自己的 3x3 卷积，权重全是 1，再除以 9；不训练
        self.chihua = nn.Conv2d(in_channels, 24, kernel_size=1)
        self.register_buffer("yi", torch.ones(in_channels, 1, 3, 3))

    def pingjun(self, x):
        return F.conv2d(x, self.yi, padding=1, groups=self.tongdao) / 9

    def forward(self, x):
        a = self.sansan_er(self.sansan_yi(self.sansan_jiang(x)))
        b = self.wuwu(self.wuwu_jiang(x))
        c = self.yiyi(x)
        d = self.chihua(self.pingjun(x))
        return torch.cat([d, a, c, b], dim=-3)   # 倒数第三维就是通道
