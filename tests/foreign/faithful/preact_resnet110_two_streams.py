"""In the style of a systems person: every unit returns the raw sum and its activation, so that BN and ReLU follow the addition in code."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "preact_resnet110"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "TwoStreams"


class BNReLU(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bn = nn.BatchNorm2d(c)

    def forward(self, x):
        return F.relu(self.bn(x), inplace=True)


def skip(raw, channels):
    if raw.size(1) == channels:
        return raw
    raw = raw[:, :, ::2, ::2]
    return torch.cat((raw, torch.zeros_like(raw)), dim=1)


class Step(nn.Module):
    """(raw, activated) to (raw, activated): the activation of the next unit, or of the head, belongs to this one."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.w1 = nn.Conv2d(c_in, c_out, 3, stride=c_out // c_in, padding=1, bias=False)
        self.between = BNReLU(c_out)
        self.w2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.afterwards = BNReLU(c_out)

    def forward(self, streams):
        raw, activated = streams
        raw = skip(raw, self.w1.out_channels) + self.w2(self.between(self.w1(activated)))
        return raw, self.afterwards(raw)


class TwoStreams(nn.Module):
    def __init__(self):
        super().__init__()
        self.w0 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.begin = BNReLU(16)
        self.steps = nn.Sequential(Step(16, 16), Step(16, 16), Step(16, 32), Step(32, 32), Step(32, 64), Step(64, 64))
        self.end = nn.Linear(64, 10)

    def forward(self, x):
        x = self.begin(self.w0(x))
        _, activated = self.steps((x, x))
        return self.end(activated.mean((2, 3)))
