"""In the style of a memory miser: one shared in-place ReLU, in-place addition, a buffer nobody uses, everything declared backwards."""

import torch
import torch.nn as nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Thrifty"

relu_ = nn.ReLU(inplace=True)


class Pair(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.second = nn.Conv2d(n, n, (3, 3), padding=(1, 1))
        self.first = nn.Conv2d(n, n, (3, 3), padding=(1, 1))
        self.act = relu_

    def forward(self, x):
        out = self.second(self.act(self.first(x)))
        out += x
        return self.act(out)


class Thrifty(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mnist_mean", torch.tensor([0.1307]))  # for a normalisation that the data loader does already
        self.fc = nn.Linear(512, 10)
        self.pair2 = Pair(32)
        self.c2 = nn.Conv2d(16, 32, 5)
        self.pair1 = Pair(16)
        self.c1 = nn.Conv2d(1, 16, 5)
        self.act = relu_

    def forward(self, x):
        for conv, pair in ((self.c1, self.pair1), (self.c2, self.pair2)):
            x = conv(x)
            x = nn.functional.max_pool2d(x, kernel_size=2, stride=2)
            x = self.act(x)
            x = pair(x)
        return self.fc(x.view(-1, 512))
