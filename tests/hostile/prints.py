"""Prints 30 MB while it is imported, made and run."""

import sys

from torch import Tensor, nn


def chatter() -> None:
    for _ in range(100):
        print("x" * 100_000)
    sys.stdout.flush()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        chatter()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        chatter()
        y: Tensor = self.conv(x)
        return y


chatter()
