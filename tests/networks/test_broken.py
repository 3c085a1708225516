"""The exact checks notice what is wrong: networks that are broken in one place."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.models import densenet, googlenet, lecture, resnet
from etude.models import identity_mappings as identity
from etude.models.pieces import ZeroPadShortcut
from etude.values import read_settings
from etude.verification import exact


class MaxPoolInception(lecture.InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(x, kernel_size=3, stride=1, padding=1)
        branches = [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x))),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, dim=1)


class NoPoolInception(lecture.InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x))),
            self.branch_pool(x),
        ]
        return torch.cat(branches, dim=1)


class ReluBeforeAddition(lecture.ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + F.relu(self.residual(x)))


class FirstConvolutionTwice(lecture.ResidualBlock):
    def residual(self, x: Tensor) -> Tensor:
        return self.conv1(F.relu(self.conv1(x)))


class ScalesOneSide(lecture.ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + 0.5 * self.residual(x))


class OtherFactors(lecture.ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(0.3 * x + 0.9 * self.residual(x))


class ShortcutFeedsBranch(lecture.ConvShortcutBlock):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_shortcut(x)
        return F.relu(x + self.residual(x))


class ConvBnRelu(lecture.DenseLayer):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, F.relu(self.conv(self.norm(x)))], dim=1)


def of_type(name: str, attribute: str, kind: type[nn.Module], **options: Any) -> nn.Module:
    """The network with one block made another class, its parameters kept."""
    model = etude.build(name, **options)
    model.get_submodule(attribute).__class__ = kind
    return model


def changed(name: str, change: Callable[[Any], None], **options: Any) -> nn.Module:
    """The network after something has been done to it."""
    model = etude.build(name, **options)
    change(model)
    return model


def reducer_3x3() -> nn.Module:
    model: Any = etude.build("lecture_inception")
    model.incep1.branch5x5_1 = nn.Conv2d(10, 16, 3, padding=1)
    return model


def moved_padding() -> nn.Module:
    model: Any = etude.build("lecture_residual")
    model.rblock1.conv1.padding, model.rblock1.conv2.padding = (0, 0), (2, 2)
    return model


def without_bias() -> nn.Module:
    model: Any = etude.build("lecture_residual_conv")
    model.rblock2.conv_shortcut.bias = None
    return model


MUTANTS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "max pool for average pool": ("lecture_inception", lambda: of_type("lecture_inception", "incep1", MaxPoolInception)),
    "average pool forgotten": ("lecture_inception", lambda: of_type("lecture_inception", "incep2", NoPoolInception)),
    "3×3 in place of the 1×1 reduction": ("lecture_inception", reducer_3x3),
    "ReLU before the addition": ("lecture_residual", lambda: of_type("lecture_residual", "rblock1", ReluBeforeAddition)),
    "conv1 twice": ("lecture_residual", lambda: of_type("lecture_residual", "rblock2", FirstConvolutionTwice)),
    "padding moved from one convolution to the next": ("lecture_residual", moved_padding),
    "scaled on one side": ("lecture_residual_scaled", lambda: of_type("lecture_residual_scaled", "rblock1", ScalesOneSide)),
    "other factors": ("lecture_residual_scaled", lambda: of_type("lecture_residual_scaled", "rblock2", OtherFactors)),
    "the 1×1 convolution feeds the branch too": (
        "lecture_residual_conv",
        lambda: of_type("lecture_residual_conv", "rblock1", ShortcutFeedsBranch),
    ),
    "the original in place of constant scaling": ("lecture_residual_scaled", lambda: etude.build("lecture_residual")),
    "a bias dropped": ("lecture_residual_conv", without_bias),
    "Conv before ReLU in a dense layer": ("lecture_densenet", lambda: of_type("lecture_densenet", "dense_block_2.1", ConvBnRelu)),
    "another growth rate": ("lecture_densenet", lambda: etude.build("lecture_densenet", growth_rate=12)),
    "a layer less": ("lecture_densenet", lambda: etude.build("lecture_densenet", num_layers=2)),
    "stride moved to the 3×3": ("resnet50", lambda: etude.build("resnet50", stride_in="3x3")),
    "stride moved to the first 1×1": ("resnet50@v15", lambda: etude.build("resnet50", stride_in="1x1")),
    "stride in the second convolution": ("resnet20", lambda: changed("resnet20", stride_in_second_conv)),
    "stride in the second unit of a stage": ("resnet20", lambda: changed("resnet20", stride_in_second_unit)),
    "a BN dropped": ("resnet20", lambda: changed("resnet20", lambda m: setattr(m.conv3_x[1], "norm2", nn.Identity()))),
    "all BN dropped": ("resnet20", lambda: etude.build("resnet20", norm=None)),
    "1×1 in place of 3×3": ("resnet20", lambda: changed("resnet20", lambda m: setattr(m.conv4_x[2], "conv2", conv(64, 64, 1)))),
    "5×5 in place of 3×3": ("resnet20", lambda: changed("resnet20", lambda m: setattr(m.conv4_x[2], "conv2", conv(64, 64, 5)))),
    "option A replaced by B": ("resnet20", lambda: etude.build("resnet20", shortcut="B")),
    "option B replaced by A": ("resnet20@b", lambda: etude.build("resnet20", shortcut="A")),
    "option B replaced by C": ("resnet34", lambda: etude.build("resnet34", shortcut="C")),
    "a shortcut cut": ("resnet20", lambda: of_type("resnet20", "conv3_x.1", resnet.PlainBlock)),
    "plain with one shortcut": ("plain20", lambda: changed("plain20", add_a_shortcut)),
    "ReLU before the addition of a residual network": ("resnet20", lambda: of_type("resnet20", "conv3_x.1", ReluBeforeResidualAddition)),
    "no ReLU after the addition": ("resnet18", lambda: of_type("resnet18", "conv3_x.1", NoReluAfterAddition)),
    "average pool in the stem": ("resnet18", lambda: of_type("resnet18", "", AveragePoolStem)),
    "a pool of 2×2 in the stem": ("resnet18", lambda: of_type("resnet18", "", SmallPoolStem)),
    "a unit less": ("resnet50", lambda: etude.build("resnet50", units=(3, 4, 5, 3))),
    "a bias in a convolution": ("resnet20", lambda: changed("resnet20", lambda m: setattr(m, "conv1", nn.Conv2d(3, 16, 3, padding=1)))),
    "the last BN-ReLU of pre-activation removed": (
        "preact_resnet110 depth=20",
        lambda: changed("preact_resnet110", depth=20, change=lambda m: setattr(m, "activation_last", nn.Identity())),
    ),
    "the last BN of pre-activation removed": (
        "preact_resnet164 depth=20",
        lambda: changed("preact_resnet164", depth=20, change=lambda m: setattr(m, "activation_last", nn.ReLU())),
    ),
    "the first unit's activation on one path only": (
        "preact_resnet110 depth=20",
        lambda: changed("preact_resnet110", depth=20, change=activate_on_one_path),
    ),
    "BN on a pre-activated projection": (
        "preact_resnet164 depth=20",
        lambda: changed("preact_resnet164", depth=20, change=norm_on_projection),
    ),
    "a projection of the raw input": (
        "preact_resnet164 depth=20",
        lambda: changed("preact_resnet164", depth=20, change=lambda m: setattr(m.conv3_x[0], "projects", False)),
    ),
    "post-activation in place of pre-activation": ("preact_resnet110 depth=20", lambda: etude.build("resnet110", depth=20)),
    "g in place of 1 − g on the shortcut": (
        "ablation_resnet110 depth=20 shortcut=shortcut_only_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join", GatesTheShortcut, shortcut="shortcut_only_gating", depth=20),
    ),
    "shortcut-only in place of exclusive gating": (
        "ablation_resnet110 depth=20 shortcut=exclusive_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join", identity.ShortcutOnlyGating, shortcut="exclusive_gating", depth=20),
    ),
    "a tanh gate": (
        "ablation_resnet110 depth=20 shortcut=exclusive_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join.gate", TanhGate, shortcut="exclusive_gating", depth=20),
    ),
    "3×3 in a 5×5 branch": (
        "googlenet",
        lambda: changed("googlenet", lambda m: setattr(m.inception_3a.branch5x5, "conv", nn.Conv2d(16, 32, 3, padding=1))),
    ),
    "average pool in an Inception module": ("googlenet", lambda: of_type("googlenet", "inception_4c", AveragePoolModule)),
    "no local response normalisation": ("googlenet", lambda: of_type("googlenet", "", NoResponseNorm)),
    "a head on 4b": ("googlenet", lambda: of_type("googlenet", "", HeadOn4b)),
    "heads left out": ("googlenet", lambda: etude.build("googlenet", auxiliary=False)),
    "dropout of the wrong share": ("googlenet", lambda: changed("googlenet", lambda m: setattr(m.dropout, "p", 0.2))),
    "torchvision's GoogLeNet for the paper's": ("googlenet", lambda: etude.build("googlenet@torchvision")),
    "an average without the zeros": ("lecture_inception", lambda: of_type("lecture_inception", "incep1", WithoutZeros)),
    "another pixel in option A": ("resnet20", lambda: of_type("resnet20", "conv3_x.0.shortcut", OtherPixel)),
    "zeros in front in option A": ("resnet20", lambda: of_type("resnet20", "conv3_x.0.shortcut", ZerosInFront)),
    "another ε": ("resnet20", lambda: changed("resnet20", lambda m: setattr(m.conv3_x[1].norm2, "eps", 1e-3))),
    "the usual ε where torchvision has its own": (
        "googlenet@torchvision",
        lambda: changed("googlenet@torchvision", lambda m: setattr(m.conv1.norm, "eps", 1e-5)),
    ),
    "other constants of the response normalisation": ("googlenet", lambda: of_type("googlenet", "", OtherResponseNorm)),
    "max pool in a transition": ("densenet_40_12", lambda: of_type("densenet_40_12", "transition_1", MaxPoolTransition)),
    "no compression": ("densenet_bc_100_12 depth=40", lambda: etude.build("densenet_bc_100_12", depth=40, compression=1.0)),
    "no bottleneck": ("densenet_bc_100_12 depth=40", lambda: etude.build("densenet_bc_100_12", depth=40, bottleneck=False)),
    "2k maps in the 1×1": ("densenet121", lambda: changed("densenet121", narrow_bottleneck)),
    "ReLU behind the convolution": ("densenet_40_12", lambda: of_type("densenet_40_12", "dense_block_1.3", ReluBehindConv)),
    "no last BN": ("densenet121", lambda: changed("densenet121", lambda m: setattr(m, "norm", nn.Identity()))),
}


def conv(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)


def add_a_shortcut(model: Any) -> None:
    unit = model.conv3_x[1]
    unit.__class__, unit.shortcut = resnet.BasicBlock, nn.Identity()


def stride_in_second_conv(model: Any) -> None:
    unit = model.conv3_x[0]
    unit.conv1.stride, unit.conv2.stride = (1, 1), (2, 2)


def stride_in_second_unit(model: Any) -> None:
    first, second = model.conv3_x[0], model.conv3_x[1]
    first.conv1.stride, first.shortcut.stride = (1, 1), 1
    second.conv1.stride, second.shortcut = (2, 2), nn.AvgPool2d(1, 2)


def activate_on_one_path(model: Any) -> None:
    """As in a popular implementation: the first identity shortcut carries the raw output of conv1."""
    model.conv2_x[0].before, model.activation1 = model.activation1, nn.Identity()


def norm_on_projection(model: Any) -> None:
    model.conv2_x[0].shortcut.append(nn.BatchNorm2d(64))


def narrow_bottleneck(model: Any) -> None:
    layer = model.dense_block_1[0]
    layer.conv1, layer.norm2, layer.conv2 = conv(64, 64, 1), nn.BatchNorm2d(64), conv(64, 32, 3)


class ReluBeforeResidualAddition(resnet.BasicBlock):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + F.relu(self.residual(x)))


class NoReluAfterAddition(resnet.BasicBlock):
    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


class AveragePoolStem(resnet.ResNet):
    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(F.relu(self.norm1(self.conv1(x))), kernel_size=3, stride=2, padding=1)
        return self.fc(self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x)))).mean(dim=(2, 3)))


class SmallPoolStem(resnet.ResNet):
    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), kernel_size=2)
        return self.fc(self.conv5_x(self.conv4_x(self.conv3_x(self.conv2_x(x)))).mean(dim=(2, 3)))


class GatesTheShortcut(identity.ShortcutOnlyGating):
    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        return self.gate(x) * x + f


class TanhGate(identity.Gate):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x))


class AveragePoolModule(googlenet.Inception):
    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pool_proj(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        branches = [self.branch1x1(x), self.branch3x3(self.reduce_3x3(x)), self.branch5x5(self.reduce_5x5(x)), pooled]
        return torch.cat(branches, dim=1)


class NoResponseNorm(googlenet.GoogLeNet):
    def local_response_norm(self, x: Tensor) -> Tensor:
        return x


class OtherPixel(ZeroPadShortcut):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, 1::2, 1::2], (0, 0, 0, 0, 0, self.extra))


class ZerosInFront(ZeroPadShortcut):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, 0))


class WithoutZeros(lecture.InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)
        return torch.cat(
            [
                self.branch1x1(x),
                self.branch5x5_2(self.branch5x5_1(x)),
                self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x))),
                self.branch_pool(pooled),
            ],
            dim=1,
        )


class OtherResponseNorm(googlenet.GoogLeNet):
    def local_response_norm(self, x: Tensor) -> Tensor:
        return F.local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=2)


class HeadOn4b(googlenet.GoogLeNet):
    def up_to_4a(self, x: Tensor) -> Tensor:
        return self.inception_4b(super().up_to_4a(x))

    def up_to_4d(self, x: Tensor) -> Tensor:
        return self.inception_4d(self.inception_4c(x))


class MaxPoolTransition(densenet.Transition):
    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv(F.relu(self.norm(x))), kernel_size=2)


class ReluBehindConv(densenet.DenseLayer):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, F.relu(self.conv1(self.norm1(x)))], dim=1)


@functools.cache
def passes(name: str, *words: str) -> bool:
    return all(check.verdict == "exact" for check in exact.layers(name, **read_settings(words)))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_network_is_noticed(mutant: str) -> None:
    (name, *words), make = MUTANTS[mutant][0].split(), MUTANTS[mutant][1]
    assert passes(name, *words), "the network itself"
    with torch.device("meta"):  # numbers are not looked at
        broken = make()
    departs = [check for check in exact.layers(name, broken, **read_settings(words)) if check.verdict == "departs"]
    assert departs, f"{name} with {mutant} passes"
