"""In the style of a Sequential lover who closes every branch with an activation."""

from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "net()"
PLANTED = "one more ReLU at the end of the residual branch of the first block, in front of the addition"
WHERE = "rblock1"
KINDS = ["ReLU", "activation"]


class Skip(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch, self.act = branch, nn.ReLU()

    def forward(self, x):
        return self.act(x + self.branch(x))


def c3(n):
    return nn.Conv2d(n, n, 3, padding=1)


def net():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        Skip(nn.Sequential(c3(16), nn.ReLU(), c3(16), nn.ReLU())),
        nn.Sequential(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
        Skip(nn.Sequential(c3(32), nn.ReLU(), c3(32))),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
