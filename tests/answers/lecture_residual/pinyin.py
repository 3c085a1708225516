import torch.nn as nn
import torch.nn.functional as F


class CanchaKuai(nn.Module):
    # 残差块
    def __init__(self, tongdao):
        super().__init__()
        self.juanji1 = nn.Conv2d(tongdao, tongdao, 3, padding=1)
        self.juanji2 = nn.Conv2d(tongdao, tongdao, 3, padding=1)

    def forward(self, shuru):
        shuchu = F.relu(self.juanji1(shuru))
        shuchu = self.juanji2(shuchu)
        return F.relu(shuru + shuchu)


class LectureResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.quanlianjie = nn.Linear(512, 10)
        self.kuai2 = CanchaKuai(32)
        self.kuai1 = CanchaKuai(16)
        self.juanji2 = nn.Conv2d(16, 32, 5)
        self.juanji1 = nn.Conv2d(1, 16, 5)
        self.chihua = nn.MaxPool2d(2)

    def forward(self, x):
        piliang = x.size(0)                              # 批量大小
        x = self.chihua(F.relu(self.juanji1(x)))
        x = self.kuai1(x)
        x = self.chihua(F.relu(self.juanji2(x)))
        x = self.kuai2(x)
        return self.quanlianjie(x.view(piliang, -1))
