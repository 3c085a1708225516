# operator
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """relu(x + F(x)), F = conv 3×3, ReLU, conv 3×3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, padding_mode='circular')

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = F.relu(y)
        y = self.conv2(y)
        y = x + y
        return F.relu(y)
