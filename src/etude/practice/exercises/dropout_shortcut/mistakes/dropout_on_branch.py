from torch import Tensor, nn
from torch.nn import functional as F


class DropoutShortcutBlock(nn.Module):
    def __init__(self, channels: int, p: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = F.relu(y)
        y = self.conv2(y)
        y = self.dropout(y)
        y = x + y
        return F.relu(y)
