"""In the style of 2024: the activation is an argument, and its default is GELU."""

from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Net2024"
PLANTED = "GELU everywhere, where the lecture has ReLU"
WHERE = ""
KINDS = ["GELU", "ReLU", "activation"]


class Residual(nn.Module):
    def __init__(self, dim, act_layer):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(dim, dim, 3, padding=1), nn.Conv2d(dim, dim, 3, padding=1)
        self.act = act_layer()

    def forward(self, x):
        return self.act(x + self.conv2(self.act(self.conv1(x))))


class Net2024(nn.Module):
    def __init__(self, dims=(16, 32), act_layer=nn.GELU):
        super().__init__()
        self.layers, previous = nn.Sequential(), 1
        for dim in dims:
            self.layers.extend([nn.Conv2d(previous, dim, 5), act_layer(), nn.MaxPool2d(2), Residual(dim, act_layer)])
            previous = dim
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(previous * 16, 10))

    def forward(self, x):
        return self.head(self.layers(x))
