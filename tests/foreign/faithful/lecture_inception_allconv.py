"""In the style of the "everything is a layer" school: one Sequential, a Fork module, and the classifier as a 4×4 convolution."""

import torch
from torch import nn

AGAINST = "lecture_inception"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "make_model()"


class Fork(nn.ModuleList):
    """Runs its members side by side and stacks what they give."""

    def forward(self, x):
        return torch.cat([member(x) for member in self], dim=1)


def same(n_in, n_out, k):
    return nn.Conv2d(n_in, n_out, k, padding=(k - 1) // 2)


def fork(n):
    return Fork(
        [
            same(n, 16, 1),
            nn.Sequential(same(n, 16, 1), same(16, 24, 5)),
            nn.Sequential(same(n, 16, 1), same(16, 24, 3), same(24, 24, 3)),
            nn.Sequential(nn.AvgPool2d(3, 1, 1), same(n, 24, 1)),
        ]
    )


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 10, 5),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        fork(10),
        nn.Conv2d(88, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        fork(20),
        nn.Conv2d(88, 10, 4),
        nn.Flatten(),
    )
