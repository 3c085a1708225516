"""In the style of a port of a port: every branch called 5×5 holds a 3×3, kept because the released weights have that shape."""

from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn

AGAINST = "googlenet"
OPTIONS = {"classes": 20}
INPUT = (3, 224, 224)
CALLABLE = "GNet(num_classes=20)"
PLANTED = "3×3 in the 5×5 branch of all nine modules"
WHERE = "inception_3a"
KINDS = ["kernel"]


@dataclass(frozen=True)
class Plan:
    ch1: int
    red3: int
    ch3: int
    red5: int
    ch5: int
    proj: int

    @property
    def width(self) -> int:
        return self.ch1 + self.ch3 + self.ch5 + self.proj


PLANS3 = [Plan(64, 96, 128, 16, 32, 32), Plan(128, 128, 192, 32, 96, 64)]
PLANS4 = [Plan(192, 96, 208, 16, 48, 64), Plan(160, 112, 224, 24, 64, 64), Plan(128, 128, 256, 24, 64, 64)]
PLANS4 += [Plan(112, 144, 288, 32, 64, 64), Plan(256, 160, 320, 32, 128, 128)]
PLANS5 = [Plan(256, 160, 320, 32, 128, 128), Plan(384, 192, 384, 48, 128, 128)]


class ConvAct(nn.Module):
    def __init__(self, inp: int, outp: int, **kwargs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inp, outp, **kwargs)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))


class Mixed(nn.Module):
    def __init__(self, inp: int, plan: Plan) -> None:
        super().__init__()
        ch1, red3, ch3, red5, ch5, proj = astuple(plan)
        self.branch1 = ConvAct(inp, ch1, kernel_size=1)
        self.branch2 = nn.Sequential(ConvAct(inp, red3, kernel_size=1), ConvAct(red3, ch3, kernel_size=3, padding=1))
        self.branch3 = nn.Sequential(ConvAct(inp, red5, kernel_size=1), ConvAct(red5, ch5, kernel_size=3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvAct(inp, proj, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class Aux(nn.Module):
    def __init__(self, inp: int, num_classes: int) -> None:
        super().__init__()
        self.pool, self.conv = nn.AvgPool2d(5, stride=3), ConvAct(inp, 128, kernel_size=1)
        self.fc1, self.fc2, self.drop = nn.Linear(2048, 1024), nn.Linear(1024, num_classes), nn.Dropout(0.7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.conv(self.pool(x)), 1)
        return self.fc2(self.drop(torch.relu(self.fc1(x))))


class GNet(nn.Module):
    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = ConvAct(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2, self.conv3 = ConvAct(64, 64, kernel_size=1), ConvAct(64, 192, kernel_size=3, padding=1)
        self.lrn, self.maxpool = nn.LocalResponseNorm(size=5), nn.MaxPool2d(3, stride=2, ceil_mode=True)
        widths = [192] + [plan.width for plan in PLANS3 + PLANS4 + PLANS5]
        mixed = [Mixed(inp, plan) for inp, plan in zip(widths, PLANS3 + PLANS4 + PLANS5, strict=False)]
        self.mixed3, self.mixed4a, self.mixed4bcd = nn.Sequential(*mixed[:2]), mixed[2], nn.Sequential(*mixed[3:6])
        self.mixed4e, self.mixed5 = mixed[6], nn.Sequential(*mixed[7:])
        self.aux1, self.aux2 = Aux(widths[3], num_classes), Aux(widths[6], num_classes)
        self.top = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(widths[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        x = self.lrn(self.maxpool(self.conv1(x)))
        x = self.maxpool(self.lrn(self.conv3(self.conv2(x))))
        a = self.mixed4a(self.maxpool(self.mixed3(x)))
        d = self.mixed4bcd(a)
        x = self.top(self.mixed5(self.maxpool(self.mixed4e(d))))
        return (x, self.aux1(a), self.aux2(d)) if self.training else x
