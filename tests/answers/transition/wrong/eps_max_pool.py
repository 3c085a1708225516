# max_pool norm_eps
from torch import Tensor, nn
from torch.nn import functional as F


class Transition(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels, eps=1e-3)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        x = F.relu(x)
        x = self.conv(x)
        return F.max_pool2d(x, kernel_size=2)
