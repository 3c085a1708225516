import torch
import torch.nn.functional as F
from torch import nn


class ConvShortcutBlock(nn.Module):
    """Fig. 2(e): 1x1 convolution on the shortcut. Written with bare parameters."""

    def __init__(self, channels):
        super().__init__()
        c = channels
        self.W1 = nn.Parameter(torch.empty(c, c, 3, 3))
        self.W2 = nn.Parameter(torch.empty(c, c, 3, 3))
        self.Ws = nn.Parameter(torch.empty(c, c))        # [in, out]
        self.b1, self.b2, self.bs = (nn.Parameter(torch.empty(c)) for _ in range(3))
        self.reset_parameters()

    def reset_parameters(self):
        c = self.bs.numel()
        for t, fan_in in ((self.W1, 9 * c), (self.b1, 9 * c), (self.W2, 9 * c), (self.b2, 9 * c),
                          (self.Ws, c), (self.bs, c)):
            nn.init.uniform_(t, -fan_in ** -0.5, fan_in ** -0.5)

    def forward(self, x):
        f = F.conv2d(x, self.W1, self.b1, padding=1)
        f = F.conv2d(f.relu(), self.W2, self.b2, padding=1)
        # contract the channels: [n,h,w,out]
        s = torch.tensordot(x, self.Ws, dims=([1], [0])) + self.bs
        return F.relu(f + s.permute(0, 3, 1, 2))
