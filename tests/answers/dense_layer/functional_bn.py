import math

import torch
import torch.nn.functional as F
from torch import nn


class DenseLayer(nn.Module):
    def __init__(self, in_channels, growth_rate):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(growth_rate, in_channels, 3, 3))
        nn.init.kaiming_uniform_(self.kernel, a=math.sqrt(5))
        # batch norm: scale, shift and the two running statistics
        self.scale = nn.Parameter(torch.ones(in_channels))
        self.shift = nn.Parameter(torch.zeros(in_channels))
        self.register_buffer("rm", torch.zeros(in_channels))
        self.register_buffer("rv", torch.ones(in_channels))

    def forward(self, x):
        h = F.batch_norm(x, self.rm, self.rv, self.scale, self.shift, training=self.training)
        return F.conv2d(h.relu(), self.kernel, padding=1)
