"""A convolution is nine matrices on nine shifted images: in one parameter, and in a list."""
import torch
from torch import nn
from torch.nn import functional as F

def conv(x, taps, bias):
    rows, columns = x.shape[2:]
    p = F.pad(x, (1, 1, 1, 1))
    shifted = [p[:, :, i:i + rows, j:j + columns] for i in range(3) for j in range(3)]
    return sum(torch.einsum("nchw,cd->ndhw", s, t) for s, t in zip(shifted, taps)) + bias[:, None, None]

class ResidualBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.first = nn.Parameter(torch.randn(9, c, c) / 9)
        self.second = nn.ParameterList(torch.randn(c, c) / 9 for _ in range(9))
        self.b = nn.Parameter(torch.randn(2, c))

    def forward(self, x):
        return F.relu(x + conv(F.relu(conv(x, self.first, self.b[0])), self.second, self.b[1]))
