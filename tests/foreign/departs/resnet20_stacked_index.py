"""In the style of a JAX user who scans over layers, with an index that is off by one in the first unit."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 14}
INPUT = (3, 32, 32)
CALLABLE = "Scanned"
PLANTED = "both convolutions of a unit take the same slice of the stack"
WHERE = "conv2_x.0"
KINDS = ["shares"]


class Norms(nn.Module):
    """Several batch normalisations of as many maps."""

    def __init__(self, count, width):
        super().__init__()
        self.affine = nn.Parameter(torch.stack([torch.ones(count, width), torch.zeros(count, width)]))
        self.register_buffer("mean", torch.zeros(count, width))
        self.register_buffer("variance", torch.ones(count, width))

    def forward(self, x, i):
        scale, shift = self.affine[0], self.affine[1]
        return F.batch_norm(x, self.mean[i], self.variance[i], scale[i], shift[i], self.training)


class Stage(nn.Module):
    """The first convolution apart where it widens; all others in one tensor, layers × out × in × 3 × 3."""

    def __init__(self, width, widens):
        super().__init__()
        self.enter = nn.Parameter(torch.empty(width, width // 2, 3, 3)) if widens else None
        self.kernels = nn.Parameter(torch.empty(4 - widens, width, width, 3, 3))
        self.norms = Norms(4, width)
        for kernel in self.parameters(recurse=False):
            nn.init.normal_(kernel, std=(2 / (9 * width)) ** 0.5)

    def forward(self, x):
        kernels = list(self.kernels.unbind())
        if self.enter is not None:
            kernels.insert(0, self.enter)
        for i in (0, 2):
            stride = kernels[i].shape[0] // x.shape[1]
            y = F.relu(self.norms(F.conv2d(x, kernels[i], stride=stride, padding=1), i))
            y = self.norms(F.conv2d(y, kernels[i + 1 - (i == 0 and self.enter is None)], padding=1), i + 1)
            if stride == 2:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, x.shape[1]))
            x = F.relu(x + y)
        return x


class Scanned(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.stages = nn.Sequential(Stage(16, False), Stage(32, True), Stage(64, True))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.stages(F.relu(self.norm(self.stem(x)))).mean((2, 3)))
