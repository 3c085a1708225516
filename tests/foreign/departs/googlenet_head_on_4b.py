"""In the style of a loop with a list of places, one of them a module too late."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "googlenet"
OPTIONS = {"classes": 20}
INPUT = (3, 224, 224)
CALLABLE = "WithHeads"
PLANTED = "the first auxiliary head hangs on 4b, the paper's on 4a; all shapes are the same"
WHERE = "aux1"
KINDS = ["4b", "4a", "head", "aux"]

PLACES = {6: 512, 8: 528}  # inceptions counted from 3a = 3, as in the table of the slides
NUMBERS = [
    [64, 96, 128, 16, 32, 32],
    [128, 128, 192, 32, 96, 64],
    [192, 96, 208, 16, 48, 64],
    [160, 112, 224, 24, 64, 64],
    [128, 128, 256, 24, 64, 64],
    [112, 144, 288, 32, 64, 64],
    [256, 160, 320, 32, 128, 128],
    [256, 160, 320, 32, 128, 128],
    [384, 192, 384, 48, 128, 128],
]


def act_conv(i, o, k=1, s=1):
    return nn.Sequential(nn.Conv2d(i, o, k, s, (k - 1) // 2), nn.ReLU())


class Branches(nn.ModuleList):
    def __init__(self, i, n):
        one, three = act_conv(i, n[0]), nn.Sequential(act_conv(i, n[1]), act_conv(n[1], n[2], 3))
        five, pool = nn.Sequential(act_conv(i, n[3]), act_conv(n[3], n[4], 5)), nn.Sequential(nn.MaxPool2d(3, 1, 1), act_conv(i, n[5]))
        super().__init__([one, three, five, pool])
        self.width = n[0] + n[2] + n[4] + n[5]

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=1)


def auxiliary(i, classes):
    dense = [nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(0.7), nn.Linear(1024, classes)]
    return nn.Sequential(nn.AvgPool2d(5, 3), act_conv(i, 128), *dense)


class WithHeads(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.c1, self.c2, self.c3 = act_conv(3, 64, 7, 2), act_conv(64, 64), act_conv(64, 192, 3)
        self.inceptions, width = nn.ModuleList(), 192
        for n in NUMBERS:
            self.inceptions.append(Branches(width, n))
            width = self.inceptions[-1].width
        self.heads = nn.ModuleDict({str(place): auxiliary(i, classes) for place, i in PLACES.items()})
        self.drop, self.fc = nn.Dropout(0.4), nn.Linear(width, classes)

    def shrink(self, x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    def forward(self, x):
        x = F.local_response_norm(self.shrink(self.c1(x)), 5)
        x = self.shrink(F.local_response_norm(self.c3(self.c2(x)), 5))
        heads = []
        for number, inception in enumerate(self.inceptions, start=3):
            x = inception(self.shrink(x) if number in (5, 10) else x)
            if self.training and str(number) in self.heads:
                heads.append(self.heads[str(number)](x))
        x = self.fc(self.drop(x.mean((2, 3))))
        return (x, *heads) if self.training else x
