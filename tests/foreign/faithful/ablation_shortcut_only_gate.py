"""In the style of a channels-last convert: the gate is a Linear on the permuted shortcut, its closing computed as sigmoid(−z)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

AGAINST = "ablation_resnet110"
OPTIONS = {"depth": 14, "shortcut": "shortcut_only_gating"}
INPUT = (3, 32, 32)
CALLABLE = "make_net(blocks=2)"


class Unit(nn.Module):
    def __init__(self, cin, cout, first):
        super().__init__()
        self.shrink = first and cin != cout
        self.gate = nn.Linear(cout, cout)
        nn.init.constant_(self.gate.bias, -6)
        self.conv_a = nn.Conv2d(cin, cout, 3, 2 if self.shrink else 1, 1, bias=False)
        self.conv_b = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn_a, self.bn_b = nn.BatchNorm2d(cout), nn.BatchNorm2d(cout)

    def forward(self, x):
        y = self.bn_b(self.conv_b(F.relu(self.bn_a(self.conv_a(x)))))
        if self.shrink:
            x = F.max_pool2d(x, 1, 2)
            x = torch.cat((x, x.new_zeros(x.shape)), 1)
        pixels = x.movedim(1, -1)
        kept = torch.sigmoid(-self.gate(pixels)) * pixels  # 1 − sigmoid(z) = sigmoid(−z)
        return F.relu(kept.movedim(-1, 1) + y)


class Net(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.c, self.b = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        for stage, (cin, cout) in enumerate([(16, 16), (16, 32), (32, 64)]):
            units = [Unit(cin if i == 0 else cout, cout, i == 0) for i in range(blocks)]
            setattr(self, f"stage{stage}", nn.ModuleList(units))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.b(self.c(x)))
        for stage in range(3):
            for unit in getattr(self, f"stage{stage}"):
                x = unit(x)
        return self.fc(F.avg_pool2d(x, 8).squeeze(3).squeeze(2))


def make_net(blocks):
    return Net(blocks)
