# 没有块的类：一个"BN-ReLU-卷积"的类用到底，前向时看它的卷积核大小
import torch
import torch.nn as nn
import torch.nn.functional as F


class BRC(nn.Module):
    def __init__(self, jin, chu, k):
        super().__init__()
        self.juanji = nn.Conv2d(jin, chu, k, padding=k // 2, bias=False)
        self.guiyi = nn.BatchNorm2d(jin)

    def forward(self, x):
        return self.juanji(F.relu(self.guiyi(x)))


class Wang(nn.Module):
    def __init__(self, n, k):
        super().__init__()
        c = 16
        self.kaitou = nn.Conv2d(3, c, 3, padding=1, bias=False)
        self.ceng = nn.ModuleList()
        for kuai in (1, 2, 3):
            for _ in range(n):
                self.ceng.append(BRC(c, k, 3))      # 每层只长出 k 张新图
                c += k
            if kuai < 3:
                self.ceng.append(BRC(c, c, 1))      # 过渡层，通道数不变
        self.jiewei = nn.BatchNorm2d(c)
        self.quan = nn.Linear(c, 10)

    def forward(self, x):
        x = self.kaitou(x)
        for ceng in self.ceng:
            y = ceng(x)
            if ceng.juanji.kernel_size == (1, 1):
                x = F.avg_pool2d(y, kernel_size=2, stride=2)
            else:
                x = torch.cat([y, x], dim=1)        # 新的在前
        x = torch.relu(self.jiewei(x))
        return self.quan(x.flatten(2).mean(2))


densenet = lambda depth, growth_rate: Wang((depth - 4) // 3, growth_rate)
