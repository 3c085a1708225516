"""Deep Residual Learning for Image Recognition (He, Zhang, Ren, Sun 2015, arXiv 1512.03385).

ImageNet, Table 1: 3×224×224 to 1000 classes         CIFAR, section 4.2: 3×32×32 to 10 classes, 6n + 2 layers
  conv1     64×112×112   7×7, stride 2                 conv1     16×32×32   3×3
  conv2_x   56×56        3×3 max pool, stride 2        conv2_x   16×32×32   n units
  conv3_x   28×28        first unit with stride 2      conv3_x   32×16×16   n units, the first with stride 2
  conv4_x   14×14        first unit with stride 2      conv4_x   64×8×8     n units, the first with stride 2
  conv5_x   7×7          first unit with stride 2
  global average pool, fully connected                 global average pool, fully connected

Shortcuts (sections 3.3 and 4.1), where a unit changes the shape:
  A  identity, zeros in the new channels: no parameters. CIFAR uses it everywhere
  B  1×1 convolution where the shape changes, identity elsewhere. ImageNet's default here, and all networks of 50 layers and more
  C  1×1 convolution in every unit
Deduced  the stride of a bottleneck stands in its first 1×1: only so Table 1's 3.8×10⁹ multiply-adds come out for 50 layers
Silent   padding of conv1 and the pool (3 and 1), which pixel option A keeps and where its zeros stand
Variants `stride_in="3x3"` (resnet50@v15, torchvision's), `shortcut="B"` on CIFAR (resnet20@b), `stem="3x3"`: the networks of Table 1
         behind a 3×3 conv1 of stride 1, without a pool (resnet18@cifar, kuangliu's)
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from etude.models.pieces import ZeroPadShortcut, check, check_list, check_sizes, he_init

Norm = Callable[[int], nn.Module] | None
Option = Literal["A", "B", "C"]
Unit = Callable[[int, int, int], nn.Module]


def weight(in_channels: int, out_channels: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size but for its stride; it needs no bias where a normalisation follows."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=norm is None)


def normalise(norm: Norm, channels: int) -> nn.Module:
    return norm(channels) if norm else nn.Identity()


def make_shortcut(option: Option, in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Module:
    """The path beside F: N×in_channels×H×W to N×out_channels×⌈H/stride⌉×⌈W/stride⌉ (eq. 1 and 2, section 4.1)."""
    same = in_channels == out_channels and stride == 1
    if option == "C" or (option == "B" and not same):
        return nn.Sequential(weight(in_channels, out_channels, 1, norm, stride), normalise(norm, out_channels))
    return nn.Identity() if same else ZeroPadShortcut(out_channels - in_channels, stride)


class PlainBlock(nn.Module):
    """relu(F(x)), F = 3×3, BN, ReLU, 3×3, BN: two layers of a plain network (Fig. 3, middle)."""

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = weight(in_channels, width, 3, norm, stride)
        self.norm1 = normalise(norm, width)
        self.conv2 = weight(width, width, 3, norm)
        self.norm2 = normalise(norm, width)

    def residual(self, x: Tensor) -> Tensor:
        """F(x)."""
        x = F.relu(self.norm1(self.conv1(x)))
        return self.norm2(self.conv2(x))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x))


class BasicBlock(PlainBlock):
    """relu(x + F(x)): the same two layers with a shortcut (Fig. 2; Fig. 5, left)."""

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm, shortcut: Option) -> None:
        super().__init__(in_channels, width, stride, norm)
        self.shortcut = make_shortcut(shortcut, in_channels, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.residual(x))


class Bottleneck(nn.Module):
    """relu(x + F(x)), F = 1×1, 3×3, 1×1 to 4·width channels, each with BN, ReLU between (Fig. 5, right)."""

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm, shortcut: Option, stride_in: Literal["1x1", "3x3"]) -> None:
        super().__init__()
        self.shortcut = make_shortcut(shortcut, in_channels, 4 * width, stride, norm)
        self.conv1 = weight(in_channels, width, 1, norm, stride if stride_in == "1x1" else 1)
        self.norm1 = normalise(norm, width)
        self.conv2 = weight(width, width, 3, norm, stride if stride_in == "3x3" else 1)
        self.norm2 = normalise(norm, width)
        self.conv3 = weight(width, 4 * width, 1, norm)
        self.norm3 = normalise(norm, 4 * width)

    def residual(self, x: Tensor) -> Tensor:
        """F(x)."""
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return self.norm3(self.conv3(x))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.residual(x))


def stage(unit: Unit, units: int, in_channels: int, width: int, out_channels: int, stride: int) -> nn.Sequential:
    """`units` units of which the first changes channels and size."""
    return nn.Sequential(unit(in_channels, width, stride), *(unit(out_channels, width, 1) for _ in range(units - 1)))


class ResNet(nn.Module):
    """The networks of Table 1, and their plain counterparts with `shortcut=None` (Fig. 3): N×3×H×W to N×classes.

    units   how many units conv2_x, conv3_x, conv4_x and conv5_x have
    stem    conv1 of stride 2 with a max pool behind it, or one of stride 1 and no pool
    norm    what makes a normalisation for so many channels; None for experiments without any
    """

    def __init__(
        self,
        units: tuple[int, int, int, int] = (3, 4, 6, 3),
        *,
        bottleneck: bool = True,
        shortcut: Option | None = "B",
        stride_in: Literal["1x1", "3x3"] = "1x1",
        stem: Literal["7x7", "3x3"] = "7x7",
        classes: int = 1000,
        in_channels: int = 3,
        norm: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        check(shortcut=(shortcut, ("A", "B", "C", None)), stride_in=(stride_in, ("1x1", "3x3")), stem=(stem, ("7x7", "3x3")))
        check_sizes(classes=classes, in_channels=in_channels)
        check_list("units", units, 4)
        if stride_in != "1x1" and not bottleneck:
            raise ValueError(f"stride_in = {stride_in!r} is about bottlenecks; this network has none (Table 1)")
        if bottleneck and shortcut is None:
            raise ValueError("a bottleneck without its shortcut is no network of the paper; its plain networks have bottleneck=False")

        def unit(in_channels: int, width: int, stride: int) -> nn.Module:
            if shortcut is None:
                return PlainBlock(in_channels, width, stride, norm)
            if bottleneck:
                return Bottleneck(in_channels, width, stride, norm, shortcut, stride_in)
            return BasicBlock(in_channels, width, stride, norm, shortcut)

        wider = 4 if bottleneck else 1
        self.stem = stem
        self.conv1 = weight(in_channels, 64, 7, norm, stride=2) if stem == "7x7" else weight(in_channels, 64, 3, norm)
        self.norm1 = normalise(norm, 64)
        self.conv2_x = stage(unit, units[0], 64, 64, 64 * wider, stride=1)
        self.conv3_x = stage(unit, units[1], 64 * wider, 128, 128 * wider, stride=2)
        self.conv4_x = stage(unit, units[2], 128 * wider, 256, 256 * wider, stride=2)
        self.conv5_x = stage(unit, units[3], 256 * wider, 512, 512 * wider, stride=2)
        self.fc = nn.Linear(512 * wider, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        if self.stem == "7x7":
            x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x))))
        return self.fc(x.mean(dim=(2, 3)))


class CifarResNet(nn.Module):
    """The networks of section 4.2, plain with `shortcut=None`: N×3×32×32 to N×classes.

    depth   6n + 2 layers with weights: conv1, 6n convolutions, fc
    norm    as in ResNet
    """

    def __init__(
        self,
        depth: int = 20,
        *,
        shortcut: Option | None = "A",
        classes: int = 10,
        in_channels: int = 3,
        norm: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        check(shortcut=(shortcut, ("A", "B", "C", None)))
        check_sizes(depth=depth, classes=classes, in_channels=in_channels)
        n, rest = divmod(depth - 2, 6)
        if n < 1 or rest:
            raise ValueError(f"depth = {depth}, expected 6n + 2 such as 8, 14, 20, 56 (section 4.2)")

        def unit(in_channels: int, width: int, stride: int) -> nn.Module:
            if shortcut is None:
                return PlainBlock(in_channels, width, stride, norm)
            return BasicBlock(in_channels, width, stride, norm, shortcut)

        self.conv1 = weight(in_channels, 16, 3, norm)
        self.norm1 = normalise(norm, 16)
        self.conv2_x = stage(unit, n, 16, 16, 16, stride=1)
        self.conv3_x = stage(unit, n, 16, 32, 32, stride=2)
        self.conv4_x = stage(unit, n, 32, 64, 64, stride=2)
        self.fc = nn.Linear(64, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        x = self.conv4_x(self.conv3_x(self.conv2_x(x)))
        return self.fc(x.mean(dim=(2, 3)))
