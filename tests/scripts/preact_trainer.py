"""Train with: python preact_trainer.py 20"""

import sys
import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from progress import bar

depth = int(sys.argv[1]) if len(sys.argv) > 1 else 20
assert (depth - 2) % 6 == 0
device = "cuda" if torch.cuda.is_available() else "cpu"
test_loader = torch.load("test_loader.pt")


class PreAct(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(i), nn.BatchNorm2d(o)
        self.conv1, self.conv2 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.s, self.pad = s, o - i

    def forward(self, x):
        h = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))
        if self.pad:
            x = F.pad(x[..., :: self.s, :: self.s], (0, 0, 0, 0, 0, self.pad))
        return x + h


class PreActResNet(nn.Module):
    def __init__(self):
        super().__init__()
        n = (depth - 2) // 6
        widths = [16] * (n + 1) + [32] * n + [64] * n
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.blocks = nn.ModuleList([PreAct(a, b, 1 + (a != b)) for a, b in zip(widths, widths[1:])])
        self.bn, self.fc = nn.BatchNorm2d(64), nn.Linear(64, 10)

    def forward(self, x):
        x = self.stem(x)
        for b in self.blocks:
            x = b(x)
        return self.fc(F.adaptive_avg_pool2d(F.relu(self.bn(x)), 1).flatten(1))

    def accuracy(self):
        return sum((self(x.to(device)).argmax(1) == y).sum() for x, y in bar.Bar()(test_loader))


class Trainer(pl.LightningModule):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def training_step(self, batch, i):
        return F.cross_entropy(self.net(batch[0]), batch[1])


trainer = pl.Trainer(max_epochs=100)
trainer.fit(Trainer(PreActResNet()), torch.load("train_loader.pt"))
