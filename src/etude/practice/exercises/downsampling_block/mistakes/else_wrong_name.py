from torch import Tensor, nn
from torch.nn import functional as F


class DownsamplingBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.extra = out_channels - in_channels
        if shortcut == "B":
            self.conv3 = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=2, bias=False)
            self.bn3 = nn.BatchNorm2d(out_channels)
        else:
            self.bn3 = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = F.relu(y)
        y = self.conv2(y)
        y = self.bn2(y)
        if self.conv3 is None:
            x = x[:, :, ::2, ::2]
            x = F.pad(x, (0, 0, 0, 0, 0, self.extra))
        else:
            x = self.conv3(x)
            x = self.bn3(x)
        y = x + y
        return F.relu(y)
