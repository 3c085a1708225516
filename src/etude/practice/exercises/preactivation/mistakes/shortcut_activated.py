from torch import Tensor, nn
from torch.nn import functional as F


class PreActBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(x)
        y = F.relu(y)
        x = y
        y = self.conv1(y)
        y = self.bn2(y)
        y = F.relu(y)
        y = self.conv2(y)
        return x + y
