# feeds_branch overwrites
from torch import nn
from torch.nn import functional as F

class DropoutShortcutBlock(nn.Module):
    def __init__(self, channels, p):
        super().__init__()
        self.p = p
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        s = F.dropout(x, self.p, self.training, inplace=True)
        y = self.conv2(F.relu(self.conv1(x)))
        return F.relu(s + y)
