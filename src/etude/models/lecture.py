"""The networks of the lecture "Advanced CNN" (Lecture 11), for MNIST: 28×28 grey images, ten classes.

What the lecture says, and this file is held to (papers/lecture.toml)
  Inception network   97,298 parameters                       slides 4, 14–25
  residual network    41,514 parameters                       slides 31–38
  Exercise 11-1       constant scaling, 41,514 parameters     slide 40; He 2016, Fig. 2b
                      conv shortcut, 42,842 parameters        slide 40; He 2016, Fig. 2e
  Exercise 11-2       DenseNet: BN-ReLU-Conv, concatenation   slide 41; Huang 2017, section 3
Shapes                N images, C channels, H×W pixels
  x                   N×1×28×28, float32
  logits              N×classes, before softmax
Silent in the lecture, chosen here
  all sizes of the DenseNet: three blocks of three layers, growth rate 8, a stride-2 stem of 16 channels
Departures            none
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InceptionA(nn.Module):
    """Four branches on one input, joined along the channels: N×C×H×W to N×88×H×W. No activation inside (slide 23)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch1x1 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_1 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_2 = nn.Conv2d(16, 24, kernel_size=5, padding=2)
        self.branch3x3_1 = nn.Conv2d(in_channels, 16, kernel_size=1)
        self.branch3x3_2 = nn.Conv2d(16, 24, kernel_size=3, padding=1)
        self.branch3x3_3 = nn.Conv2d(24, 24, kernel_size=3, padding=1)
        self.branch_pool = nn.Conv2d(in_channels, 24, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        branch1x1 = self.branch1x1(x)
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3 = self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x)))
        branch_pool = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([branch1x1, branch5x5, branch3x3, branch_pool], dim=1)


class LectureInception(nn.Module):
    """The lecture's Inception network (slides 24–25)."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.incep1 = InceptionA(10)
        self.conv2 = nn.Conv2d(88, 20, kernel_size=5)
        self.incep2 = InceptionA(20)
        self.mp = nn.MaxPool2d(2)
        self.fc = nn.Linear(1408, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.mp(self.conv1(x)))  # 10×12×12
        x = self.incep1(x)  # 88×12×12
        x = F.relu(self.mp(self.conv2(x)))  # 20×4×4
        x = self.incep2(x)  # 88×4×4
        return self.fc(x.flatten(1))


class ResidualBlock(nn.Module):
    """relu(x + F(x)) with F = conv 3×3, ReLU, conv 3×3: channels and size are kept (slides 32–37)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def residual(self, x: Tensor) -> Tensor:
        """F(x), the branch beside the shortcut."""
        return self.conv2(F.relu(self.conv1(x)))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.residual(x))


class ConstantScalingBlock(ResidualBlock):
    """relu(0.5·x + 0.5·F(x)) (Exercise 11-1; He 2016, Fig. 2b)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(0.5 * x + 0.5 * self.residual(x))


class ConvShortcutBlock(ResidualBlock):
    """relu(conv1x1(x) + F(x)), F being fed by x itself (Exercise 11-1; He 2016, Fig. 2e)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv_shortcut = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv_shortcut(x) + self.residual(x))


class LectureResidual(nn.Module):
    """The lecture's residual network (slides 31, 38); `block` is the block of both its places."""

    def __init__(self, classes: int = 10, *, block: type[ResidualBlock] = ResidualBlock) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5)
        self.rblock1 = block(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=5)
        self.rblock2 = block(32)
        self.mp = nn.MaxPool2d(2)
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mp(F.relu(self.conv1(x)))  # 16×12×12
        x = self.rblock1(x)
        x = self.mp(F.relu(self.conv2(x)))  # 32×4×4
        x = self.rblock2(x)
        return self.fc(x.flatten(1))


def lecture_residual_scaled(classes: int = 10) -> LectureResidual:
    """Exercise 11-1, constant scaling, in the lecture's residual network."""
    return LectureResidual(classes, block=ConstantScalingBlock)


def lecture_residual_conv(classes: int = 10) -> LectureResidual:
    """Exercise 11-1, conv shortcut, in the lecture's residual network."""
    return LectureResidual(classes, block=ConvShortcutBlock)


class DenseLayer(nn.Module):
    """The input with `growth_rate` new maps behind it: N×C×H×W to N×(C+k)×H×W (slide 41; Huang 2017, section 3)."""

    def __init__(self, in_channels: int, growth_rate: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(F.relu(self.norm(x)))], dim=1)


class Transition(nn.Module):
    """BN, 1×1 convolution, 2×2 average pool: N×C×H×W to N×C×H/2×W/2 (Huang 2017, section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(self.norm(x)), kernel_size=2)


def dense_block(num_layers: int, in_channels: int, growth_rate: int) -> nn.Sequential:
    """`num_layers` dense layers, each of which sees all maps before it."""
    return nn.Sequential(*(DenseLayer(in_channels + i * growth_rate, growth_rate) for i in range(num_layers)))


class LectureDenseNet(nn.Module):
    """A DenseNet for MNIST (Exercise 11-2), small enough for an epoch in about 20 s on two cores."""

    def __init__(self, classes: int = 10, *, num_layers: int = 3, growth_rate: int = 8) -> None:
        super().__init__()
        stem, grown = 16, num_layers * growth_rate
        self.conv1 = nn.Conv2d(1, stem, kernel_size=3, stride=2, padding=1, bias=False)
        self.dense_block_1 = dense_block(num_layers, stem, growth_rate)
        self.transition_1 = Transition(stem + grown)
        self.dense_block_2 = dense_block(num_layers, stem + grown, growth_rate)
        self.transition_2 = Transition(stem + 2 * grown)
        self.dense_block_3 = dense_block(num_layers, stem + 2 * grown, growth_rate)
        self.norm = nn.BatchNorm2d(stem + 3 * grown)
        self.fc = nn.Linear(stem + 3 * grown, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # 16×14×14
        x = self.transition_1(self.dense_block_1(x))  # 40×7×7
        x = self.transition_2(self.dense_block_2(x))  # 64×3×3
        x = self.dense_block_3(x)  # 88×3×3
        x = F.relu(self.norm(x)).mean(dim=(2, 3))
        return self.fc(x)
