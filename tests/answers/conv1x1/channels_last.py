# 1x1卷积：把通道放到最后一维，就是一次矩阵乘法
import torch
import torch.nn as nn


class Conv1x1(nn.Module):
    def __init__(self, in_channels: int, out_channels: int):
        super(Conv1x1, self).__init__()
        # 偏置先登记，权重后登记；权重按 (输入, 输出) 存放
        self.pianzhi = nn.Parameter(torch.randn(out_channels) * 0.1)
        self.quanzhong = nn.Parameter(torch.randn(in_channels, out_channels) / in_channels ** 0.5)

    def forward(self, x):
        y = x.permute(0, 2, 3, 1)            # N,H,W,C
        y = y @ self.quanzhong + self.pianzhi
        return y.permute(0, 3, 1, 2)         # N,C,H,W
