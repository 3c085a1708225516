"""Identity Mappings in Deep Residual Networks (He, Zhang, Ren, Sun 2016, arXiv 1603.05027).

CIFAR: 3×32×32 to 10 classes. Three stages of n units on 32×32, 16×16 and 8×8 maps, behind a 3×3 convolution of 16 channels
  basic       [3×3, w; 3×3, w],           w = 16, 32, 64    depth 6n + 2: ResNet-110      shortcut A (He 2015)
  bottleneck  [1×1, w; 3×3, w; 1×1, 4w],  w = 16, 32, 64    depth 9n + 2: ResNet-164, -1001   1×1 where channels change
ImageNet: ResNet-200, bottlenecks, 3, 24, 36, 3 units

One unit is  after(join(shortcut(a), F(a))),  a = before(x):
  Table 1, Fig. 2   what happens on the shortcut      `shortcut=`, always in the original order
  Table 2, Fig. 4   where BN and ReLU stand           `order=`, always with the identity
Variant  preact_resnet18@cifar: four stages from 64 channels behind a 3×3 conv1, basic blocks too, by other rules (kuangliu's)
Rules of the appendix for pre-activation
  the first unit's activation comes right after conv1, before the paths split; an extra one follows the last addition;
  where the shortcut is a 1×1 convolution, it sees the activated input
Deduced  stride in the first 1×1 of a bottleneck and no BN on a pre-activated 1×1 shortcut (authors' code)
Silent   gates, scaling and dropout in a unit that changes the shape work on the shortcut that already fits (C_out channels);
         ReLU-only pre-activation has BN behind conv1 and behind a 1×1 shortcut, as behind every weight layer;
         with BN after addition, no BN on the 1×1 shortcut: the one after the addition covers both
         dropout on the shortcut divides what it keeps by 1 − p, as torch does
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from etude.models.pieces import ZeroPadShortcut, check, check_list, check_sizes, chosen, he_init

Join = Callable[[Tensor, Tensor], Tensor]
Shortcut = Literal["identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout"]


class Order(NamedTuple):
    """Where BN and ReLU stand in a unit: before its first weight layer, between two, after the last, after the addition."""

    before: str
    between: str
    last: str
    after: str


ORDERS = {
    "original": Order("", "bn relu", "bn", "relu"),  # Fig. 4a
    "bn_after_addition": Order("", "bn relu", "", "bn relu"),  # Fig. 4b
    "relu_before_addition": Order("", "bn relu", "bn relu", ""),  # Fig. 4c
    "relu_only_preactivation": Order("relu", "bn relu", "bn", ""),  # Fig. 4d
    "full_preactivation": Order("bn relu", "bn relu", "", ""),  # Fig. 4e
}


def activation(words: str, channels: int) -> nn.Sequential:
    """The modules that `words` name, in that order: "bn relu" is BN, then ReLU."""
    named = nn.Sequential()
    for word in words.split():
        named.add_module(word, nn.BatchNorm2d(channels) if word == "bn" else nn.ReLU())
    return named


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


# ── How the two paths are joined (Fig. 2) ────────────────────────────────────────────────────────────────────────────


class ConstantScaling(nn.Module):
    """λ·x + μ·F (Fig. 2b)."""

    def __init__(self, shortcut_scale: float, residual_scale: float) -> None:
        super().__init__()
        self.shortcut_scale, self.residual_scale = shortcut_scale, residual_scale

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return self.shortcut_scale * x + self.residual_scale * f


class Gate(nn.Module):
    """g(x) = sigmoid(W·x + b), a 1×1 convolution of C to C channels (section 3.1)."""

    def __init__(self, channels: int, initial_bias: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=1)
        self.initial_bias = initial_bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(x))


def start_gates(network: nn.Module) -> None:
    """Set every gate's bias to its initial value."""
    for module in network.modules():
        if isinstance(module, Gate):
            nn.init.constant_(module.conv.bias, module.initial_bias)  # type: ignore[arg-type]


class ExclusiveGating(nn.Module):
    """(1 − g(x))·x + g(x)·F (Fig. 2c)."""

    def __init__(self, channels: int, gate_bias: float) -> None:
        super().__init__()
        self.gate = Gate(channels, gate_bias)

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        gate = self.gate(x)
        return (1 - gate) * x + gate * f


class ShortcutOnlyGating(ExclusiveGating):
    """(1 − g(x))·x + F (Fig. 2d)."""

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return (1 - self.gate(x)) * x + f


class DropoutShortcut(nn.Module):
    """dropout(x) + F (Fig. 2f)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(share)

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return self.dropout(x) + f


# ── Units and networks ───────────────────────────────────────────────────────────────────────────────────────────────


class Unit(nn.Module):
    """after(join(shortcut, F(a))), a = before(x): N×in_channels×H×W to N×out×⌈H/stride⌉×⌈W/stride⌉, out = w or 4w.

    projects   the shortcut is a 1×1 convolution of a; otherwise it is x itself, with zeros in new channels
    first      the network has already applied `before`
    stride_in  the convolution of a bottleneck that has the stride
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        *,
        bottleneck: bool,
        order: Order,
        projects: bool,
        join: Join = torch.add,
        first: bool = False,
        stride_in: Literal["1x1", "3x3"] = "1x1",
    ) -> None:
        super().__init__()
        out_channels = 4 * width if bottleneck else width
        self.before = activation("" if first else order.before, in_channels)
        self.projects = projects
        self.shortcut = make_shortcut(in_channels, out_channels, stride, projects, "bn" if "bn" in order.last else "")
        if bottleneck:
            strides = (stride, 1) if stride_in == "1x1" else (1, stride)
            weights = [conv(in_channels, width, 1, strides[0]), conv(width, width, 3, strides[1]), conv(width, out_channels, 1)]
        else:
            weights = [conv(in_channels, width, 3, stride), conv(width, width, 3)]
        self.residual = nn.Sequential()
        for number, weight in enumerate(weights, start=1):
            words = order.between if number < len(weights) else order.last
            self.residual.add_module(f"conv{number}", weight)
            self.residual.add_module(f"activation{number}", activation(words, weight.out_channels))
        self.join = join
        self.after = activation(order.after, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.before(x)
        shortcut = self.shortcut(activated if self.projects else x)
        return self.after(self.join(shortcut, self.residual(activated)))


def make_shortcut(in_channels: int, out_channels: int, stride: int, projects: bool, norm: str) -> nn.Module:
    """A 1×1 convolution; or the identity, with zeros in new channels (option A of He 2015)."""
    if projects:
        return nn.Sequential(conv(in_channels, out_channels, 1, stride), activation(norm, out_channels))
    same = in_channels == out_channels and stride == 1
    return nn.Identity() if same else ZeroPadShortcut(out_channels - in_channels, stride)


Make = Callable[[int, int, int, bool], nn.Module]


def stage(unit: Make, units: int, in_channels: int, width: int, out_channels: int, stride: int, first: bool = False) -> nn.Sequential:
    """`units` units of which the first changes channels and size; `first` where it is the first of the network."""
    others = (unit(out_channels, width, 1, False) for _ in range(units - 1))
    return nn.Sequential(unit(in_channels, width, stride, first), *others)


class CifarIdentityMappings(nn.Module):
    """The CIFAR networks of Tables 1 to 4: N×3×32×32 to N×classes.

    depth     6n + 2, with `bottleneck` 9n + 2
    shortcut  Table 1, with `shortcut_scale` and `residual_scale` (constant scaling), `gate_bias` (gates), `dropout` (dropout)
    order     Table 2
    """

    def __init__(
        self,
        depth: int = 110,
        *,
        bottleneck: bool = False,
        shortcut: Shortcut = "identity",
        order: str = "original",
        shortcut_scale: float | None = None,
        residual_scale: float | None = None,
        gate_bias: float | None = None,
        dropout: float | None = None,
        classes: int = 10,
    ) -> None:
        super().__init__()
        check_sizes(depth=depth, classes=classes)
        check(shortcut=(shortcut, get_args(Shortcut)), order=(order, tuple(ORDERS)))
        if shortcut != "identity" and order != "original":
            raise ValueError(f"shortcut = {shortcut!r} with order = {order!r}: Table 1 has the original order, Table 2 the identity")
        scales = chosen("constant_scaling", shortcut, shortcut_scale=(shortcut_scale, 0.5), residual_scale=(residual_scale, 0.5))
        (bias,) = chosen("exclusive_gating shortcut_only_gating", shortcut, gate_bias=(gate_bias, -6.0))
        (share,) = chosen("dropout", shortcut, dropout=(dropout, 0.5))
        n, rest = divmod(depth - 2, 9 if bottleneck else 6)
        if n < 1 or rest:
            raise ValueError(f"depth = {depth}, expected {'9n + 2' if bottleneck else '6n + 2'} (appendix)")

        def join(channels: int) -> Join:
            match shortcut:
                case "constant_scaling":
                    return ConstantScaling(*scales)
                case "exclusive_gating":
                    return ExclusiveGating(channels, bias)
                case "shortcut_only_gating":
                    return ShortcutOnlyGating(channels, bias)
                case "dropout":
                    return DropoutShortcut(share)
            return torch.add  # Fig. 2a

        def unit(in_channels: int, width: int, stride: int, first: bool) -> nn.Module:
            out_channels = wider * width
            projects = shortcut == "conv" or (bottleneck and in_channels != out_channels)
            how = {"bottleneck": bottleneck, "order": ORDERS[order], "projects": projects, "first": first}
            return Unit(in_channels, width, stride, join=join(out_channels), **how)  # type: ignore[arg-type]

        wider = 4 if bottleneck else 1
        self.conv1 = conv(3, 16, 3)
        self.activation1 = activation("bn relu", 16)
        self.conv2_x = stage(unit, n, 16, 16, 16 * wider, stride=1, first=True)
        self.conv3_x = stage(unit, n, 16 * wider, 32, 32 * wider, stride=2)
        self.conv4_x = stage(unit, n, 32 * wider, 64, 64 * wider, stride=2)
        self.activation_last = activation(ORDERS[order].before, 64 * wider)
        self.fc = nn.Linear(64 * wider, classes)
        he_init(self)
        start_gates(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation1(self.conv1(x))
        x = self.conv4_x(self.conv3_x(self.conv2_x(x)))
        x = self.activation_last(x)
        return self.fc(x.mean(dim=(2, 3)))


class PreActResNet(nn.Module):
    """ResNet-200 of Table 5, pre-activated bottlenecks: N×3×224×224 to N×classes."""

    def __init__(self, units: tuple[int, int, int, int] = (3, 24, 36, 3), *, classes: int = 1000) -> None:
        super().__init__()
        check_list("units", units, 4)
        check_sizes(classes=classes)

        def unit(in_channels: int, width: int, stride: int, first: bool) -> nn.Module:
            how = {"order": ORDERS["full_preactivation"], "projects": in_channels != 4 * width, "first": first}
            return Unit(in_channels, width, stride, bottleneck=True, join=torch.add, **how)  # type: ignore[arg-type]

        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.activation1 = activation("bn relu", 64)
        self.conv2_x = stage(unit, units[0], 64, 64, 256, stride=1, first=True)
        self.conv3_x = stage(unit, units[1], 256, 128, 512, stride=2)
        self.conv4_x = stage(unit, units[2], 512, 256, 1024, stride=2)
        self.conv5_x = stage(unit, units[3], 1024, 512, 2048, stride=2)
        self.activation_last = activation("bn relu", 2048)
        self.fc = nn.Linear(2048, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation1(self.conv1(x))
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x))))
        x = self.activation_last(x)
        return self.fc(x.mean(dim=(2, 3)))


class CifarStemPreActResNet(nn.Module):
    """PreActResNet of kuangliu/pytorch-cifar, in no paper: N×3×32×32 to N×classes.

    conv1 is 3×3 of stride 1 without a pool. The first unit activates for itself, so that an identity carries conv1's output as it is;
    every unit that widens projects, basic ones too; the stride of a bottleneck is in its 3×3; nothing follows the last addition.
    """

    def __init__(self, units: tuple[int, int, int, int] = (2, 2, 2, 2), *, bottleneck: bool = False, classes: int = 10) -> None:
        super().__init__()
        check_list("units", units, 4)
        check_sizes(classes=classes)

        def unit(in_channels: int, width: int, stride: int, _: bool) -> nn.Module:
            projects = in_channels != wider * width
            order = ORDERS["full_preactivation"]
            return Unit(in_channels, width, stride, bottleneck=bottleneck, order=order, projects=projects, stride_in="3x3")

        wider = 4 if bottleneck else 1
        self.conv1 = conv(3, 64, 3)
        self.conv2_x = stage(unit, units[0], 64, 64, 64 * wider, stride=1)
        self.conv3_x = stage(unit, units[1], 64 * wider, 128, 128 * wider, stride=2)
        self.conv4_x = stage(unit, units[2], 128 * wider, 256, 256 * wider, stride=2)
        self.conv5_x = stage(unit, units[3], 256 * wider, 512, 512 * wider, stride=2)
        self.fc = nn.Linear(512 * wider, classes)
        he_init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(self.conv1(x)))))
        return self.fc(x.mean(dim=(2, 3)))
