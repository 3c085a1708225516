# operator
from torch import Tensor, nn
from torch.nn import functional as F


class DenseLayer(nn.Module):
    """The new maps: a 3×3 convolution of relu(BN(x))."""

    def __init__(self, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.batch_norm(x, None, None, training=True)
        y = F.relu(y)
        return self.conv(y)
