"""In the style of someone who thinks that a 1×1 before a 5×5 does nothing on small maps."""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Direct"
PLANTED = "in the second module the 5×5 works on the 20 input maps, its 1×1 reduction to 16 is missing"
WHERE = "incep2"
KINDS = ["1×1", "reduction", "missing", "branch5x5"]


def conv(i, o, k):
    return nn.Conv2d(i, o, k, padding=k // 2)


class Direct(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 10, 5)
        self.m1_1 = conv(10, 16, 1)
        self.m1_5 = nn.Sequential(conv(10, 16, 1), conv(16, 24, 5))
        self.m1_3 = nn.Sequential(conv(10, 16, 1), conv(16, 24, 3), conv(24, 24, 3))
        self.m1_p = conv(10, 24, 1)
        self.middle = nn.Conv2d(88, 20, 5)
        self.m2_1 = conv(20, 16, 1)
        self.m2_5 = conv(20, 24, 5)
        self.m2_3 = nn.Sequential(conv(20, 16, 1), conv(16, 24, 3), conv(24, 24, 3))
        self.m2_p = conv(20, 24, 1)
        self.last = nn.Linear(1408, 10)

    def forward(self, x):
        x = relu(max_pool2d(self.stem(x), 2))
        x = torch.cat([self.m1_1(x), self.m1_5(x), self.m1_3(x), self.m1_p(avg_pool2d(x, 3, 1, 1))], 1)
        x = relu(max_pool2d(self.middle(x), 2))
        x = torch.cat([self.m2_1(x), self.m2_5(x), self.m2_3(x), self.m2_p(avg_pool2d(x, 3, 1, 1))], 1)
        return self.last(x.flatten(1))
