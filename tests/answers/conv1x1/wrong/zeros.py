# starts_alike
import torch
from torch import nn
from torch.nn import functional as F

class Conv1x1(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(out_channels, in_channels))
        self.b = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x):
        return torch.einsum('oc,nchw->nohw', self.w, x) + self.b[:, None, None]
