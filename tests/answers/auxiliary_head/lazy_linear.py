import torch
import torch.nn as nn
import torch.nn.functional as F


class AuxiliaryHead(nn.Module):
    # 辅助分类器：输出是 logits，不要 softmax
    def __init__(self, in_channels, classes, *, dropout=0.7):
        super().__init__()
        self.rate = dropout
        self.out = nn.LazyLinear(classes)
        self.fc = nn.LazyLinear(1024)
        self.proj = nn.LazyConv2d(128, kernel_size=1)
        # 先跑一次空数据，让 Lazy 层知道自己的大小
        with torch.no_grad():
            self(torch.zeros(1, in_channels, 14, 14))

    def forward(self, x):
        x = F.avg_pool2d(x, 5, 3)
        x = F.relu(self.proj(x))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc(x))
        x = F.dropout(x, self.rate, self.training)
        return self.out(x)
