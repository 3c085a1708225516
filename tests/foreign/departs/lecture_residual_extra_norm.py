"""In the style of modern practice: a batch normalisation behind the first convolution cannot hurt."""

import torch.nn.functional as F
from torch import nn

AGAINST = "lecture_residual"
OPTIONS = {}
INPUT = (1, 28, 28)
CALLABLE = "Modern"
PLANTED = "a batch normalisation behind the first convolution; the lecture has none"
WHERE = "conv1"
KINDS = ["BN", "batch", "norm"]


class Modern(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.stem_bn = nn.Conv2d(1, 16, 5), nn.BatchNorm2d(16)
        self.low = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
        self.middle = nn.Conv2d(16, 32, 5)
        self.high = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem_bn(self.stem(x))), 2)
        x = F.relu(x + self.low(x))
        x = F.max_pool2d(F.relu(self.middle(x)), 2)
        x = F.relu(x + self.high(x))
        return self.fc(x.flatten(1))
