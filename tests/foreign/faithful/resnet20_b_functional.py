"""In the style of a meta-learning code base: parameters and statistics in dictionaries, 1×1 shortcuts as einsum."""

import torch
import torch.nn.functional as F
from torch import nn

AGAINST = "resnet20@b"
OPTIONS = {"depth": 8}
INPUT = (3, 32, 32)
CALLABLE = "FunctionalResNet"


class FunctionalResNet(nn.Module):
    def __init__(self, widths=(16, 32, 64), classes=10):
        super().__init__()
        self.theta = nn.ParameterDict()
        self.add_conv("stem", 3, widths[0], 3)
        before = widths[0]
        for index, width in enumerate(widths):
            self.add_conv(f"unit{index}_first", before, width, 3)
            self.add_conv(f"unit{index}_second", width, width, 3)
            if before != width:
                self.add_conv(f"unit{index}_skip", before, width, 1)
            before = width
        self.theta["head_w"] = nn.Parameter(torch.randn(classes, before) * before**-0.5)
        self.theta["head_b"] = nn.Parameter(torch.zeros(classes))

    def add_conv(self, name, n_in, n_out, k):
        shape = (n_out, n_in, k, k) if k > 1 else (n_out, n_in)
        self.theta[f"{name}_w"] = nn.Parameter(torch.randn(shape) * (2 / (n_out * k * k)) ** 0.5)
        self.theta[f"{name}_gamma"] = nn.Parameter(torch.ones(n_out))
        self.theta[f"{name}_beta"] = nn.Parameter(torch.zeros(n_out))
        self.register_buffer(f"{name}_mean", torch.zeros(n_out))
        self.register_buffer(f"{name}_var", torch.ones(n_out))

    def conv(self, theta, name, x, stride=1):
        w = theta[f"{name}_w"]
        pointwise = w.dim() == 2
        x = torch.einsum("oc,nchw->nohw", w, x[:, :, ::stride, ::stride]) if pointwise else F.conv2d(x, w, stride=stride, padding=1)
        stats = getattr(self, f"{name}_mean"), getattr(self, f"{name}_var")
        return F.batch_norm(x, *stats, theta[f"{name}_gamma"], theta[f"{name}_beta"], training=self.training)

    def forward(self, x, theta=None):
        theta = self.theta if theta is None else theta
        x = F.relu(self.conv(theta, "stem", x))
        for index in range(3):
            stride = 1 if index == 0 else 2
            y = F.relu(self.conv(theta, f"unit{index}_first", x, stride))
            y = self.conv(theta, f"unit{index}_second", y)
            skip = self.conv(theta, f"unit{index}_skip", x, stride) if stride == 2 else x
            x = F.relu(skip + y)
        return F.linear(x.mean([2, 3]), theta["head_w"], theta["head_b"])
