"""In the style of a careful sceptic: padding by hand, the odd pixels kept, a guard against nan, the classifier a 1×1 convolution."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "Guarded"


def checked(x, where):
    if torch.isnan(x).any():
        raise FloatingPointError(f"nan behind {where}")
    return x


class Conv(nn.Module):
    """A 3×3 without padding of its own, on an input with a border of zeros, and its normalisation."""

    def __init__(self, n_in, n_out, step=1):
        super().__init__()
        self.weights = nn.Conv2d(n_in, n_out, 3, stride=step, padding=0, bias=False)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x):
        return self.norm(self.weights(F.pad(x, [1, 1, 1, 1])))


class Residual(nn.Module):
    def __init__(self, n_in, n_out, step):
        super().__init__()
        self.extra, self.step = n_out - n_in, step
        self.upper, self.lower = Conv(n_in, n_out, step), Conv(n_out, n_out)

    def skip(self, x):
        if self.step == 2:
            x = x[..., 1::2, 1::2]
        if self.extra:
            zeros = torch.zeros(x.size(0), self.extra, x.size(2), x.size(3), dtype=x.dtype, device=x.device)
            x = torch.cat([x, zeros], dim=1)
        return x

    def forward(self, x):
        return torch.relu(self.skip(x) + self.lower(torch.relu(self.upper(x))))


class Guarded(nn.Module):
    def __init__(self):
        super().__init__()
        self.open = Conv(3, 16)
        self.units = nn.ModuleDict({"small": Residual(16, 16, 1), "medium": Residual(16, 32, 2), "large": Residual(32, 64, 2)})
        self.vote = nn.Conv2d(64, 10, kernel_size=1)

    def forward(self, x):
        x = checked(torch.relu(self.open(x)), "the stem")
        for name, unit in self.units.items():
            x = checked(unit(x), name)
        return torch.flatten(self.vote(x.mean((2, 3), keepdim=True)), 1)
