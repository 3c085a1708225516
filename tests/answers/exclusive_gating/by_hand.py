# 门控残差块，全部手写参数
import math

import torch
import torch.nn.functional as F
from torch.nn import Module, Parameter, init


def _rand(*shape, fan):
    return Parameter(init.uniform_(torch.empty(*shape), -1 / math.sqrt(fan), 1 / math.sqrt(fan)))


class ExclusiveGatingBlock(Module):
    def __init__(self, channels, gate_bias):
        super().__init__()
        c = channels
        self.men_w = _rand(c, c, fan=c)                                 # 门：1x1卷积
        self.men_b = Parameter(torch.full((c,), float(gate_bias)))      # 门的偏置从 gate_bias 开始
        self.w1, self.b1 = _rand(c, c, 3, 3, fan=9 * c), _rand(c, fan=9 * c)
        self.w2, self.b2 = _rand(c, c, 3, 3, fan=9 * c), _rand(c, fan=9 * c)

    def men(self, x):
        n, c, h, w = x.shape
        z = torch.matmul(self.men_w, x.reshape(n, c, h * w)) + self.men_b.view(-1, 1)
        return (1 / (1 + torch.exp(-z))).reshape(n, c, h, w)

    def zhulu(self, x):
        y = F.conv2d(x, self.w1, self.b1, padding=1)
        y = y * (y > 0)
        return F.conv2d(y, self.w2, self.b2, padding=1)

    def forward(self, x):
        g = self.men(x)
        y = (1.0 - g) * x + g * self.zhulu(x)
        return y * (y > 0)
