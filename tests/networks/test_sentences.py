"""What `verify` says of a departure names what differs, and says no equal thing on both sides."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.models import lecture
from etude.models.resnet import BasicBlock, PlainBlock
from etude.views.verification import verification_view
from sentences import equal_on_both_sides
from translated import english_in


class AveragedWithoutZeros(lecture.InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)
        branches = [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x))]
        return torch.cat([*branches, self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x))), self.branch_pool(pooled)], dim=1)


class MadeAnew(lecture.ResidualBlock):
    def residual(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return nn.Conv2d(16, 16, 3, padding=1, dtype=x.dtype)(F.relu(self.conv1(x)))


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight - self.weight.mean(), self.bias, padding=1)


class ShortcutOfConv1(lecture.ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.conv1(x))
        return F.relu(out + self.conv2(out))


def reflects(model: Any) -> None:
    model.rblock1.conv1 = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")


def reflects_everywhere(model: Any) -> None:
    for module in list(model.modules()):
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.padding_mode = "reflect"


def frames(model: Any) -> None:
    model.rblock2.conv1 = nn.Sequential(nn.CircularPad2d(1), nn.Conv2d(32, 32, 3))
    model.rblock1.conv1 = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(16, 16, 5, padding=1))


def standardises(model: Any) -> None:
    model.rblock2.conv2 = Standardised(32, 32, 3, padding=1)


def forgets(model: Any) -> None:
    model.conv3_x[0].norm2 = nn.BatchNorm2d(32, track_running_stats=False)


def frames_with_ones(model: Any) -> None:
    model.rblock1.conv2 = nn.Sequential(nn.ConstantPad2d(1, 1.0), nn.Conv2d(16, 16, 3))


def repeats(model: Any) -> None:
    model.conv2_x = nn.Sequential(*[model.conv2_x[0]] * 3)


def repeats_the_last(model: Any) -> None:
    model.conv4_x[2] = model.conv4_x[1]


def unit(channels: int, width: int, stride: int) -> nn.Module:
    return BasicBlock(channels, width, stride, nn.BatchNorm2d, "A")


def widens(model: Any) -> None:
    model.conv1, model.norm1, model.fc = nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.Linear(96, 10)
    model.conv2_x, model.conv3_x, model.conv4_x = unit(24, 24, 1), unit(24, 48, 2), unit(48, 96, 2)


def widens_the_first(model: Any) -> None:
    model.conv1, model.norm1 = nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24)
    model.conv2_x, model.conv3_x = unit(24, 24, 1), unit(24, 32, 2)


class TwiceAsLong(BasicBlock):
    """One unit of four convolutions."""

    def __init__(self) -> None:
        super().__init__(32, 32, 1, nn.BatchNorm2d, "A")
        self.more = PlainBlock(32, 32, 1, nn.BatchNorm2d)

    def residual(self, x: Tensor) -> Tensor:
        return self.more.residual(F.relu(super().residual(x)))


def lengthens_by_one_of_four(model: Any) -> None:
    model.conv3_x.append(TwiceAsLong())


def lengthens(model: Any) -> None:
    model.conv3_x.extend([unit(32, 32, 1), unit(32, 32, 1)])


def narrows(model: Any) -> None:
    model.conv4_x, model.fc = unit(32, 32, 2), nn.Linear(32, 10)


class WideUnit(nn.Module):
    """Of a wide ResNet: pre-activation, and a 1×1 convolution where the number of maps changes."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        pre = F.relu(self.norm1(x))
        out = self.conv2(F.relu(self.norm2(self.conv1(pre))))
        return out + (self.shortcut(pre) if self.shortcut else x)


class WideResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = ((16, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1))
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.units = nn.Sequential(*(WideUnit(*size) for size in sizes))
        self.norm, self.fc = nn.BatchNorm2d(128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.norm(self.units(self.conv(x)))).mean((2, 3)))


def of(part: str, kind: type[nn.Module]) -> Callable[[Any], None]:
    return lambda model: setattr(model.get_submodule(part), "__class__", kind)


CASES: list[tuple[str, dict[str, Any], Callable[[Any], None], str]] = [
    ("lecture_inception", {}, of("incep1", AveragedWithoutZeros), "has averages without the zeros around the image where the paper has"),
    ("lecture_residual", {}, of("rblock1", MadeAnew), "the weights of rblock1.conv2 (your rblock1) are no parameters of the module"),
    (
        "lecture_residual",
        {},
        of("rblock1", ShortcutOfConv1),
        "the shortcut of rblock1 (your rblock1) begins at the ReLU behind rblock1.conv1",
    ),
    (
        "lecture_residual",
        {},
        reflects,
        "rblock1.conv1 (your rblock1.conv1) has reflected pixels around the image where the paper has zeros",
    ),
    (
        "lecture_residual",
        {},
        frames,
        "rblock1.conv1 (your rblock1.conv1.1) has kernel 5×5, padding 2 where the paper has kernel 3×3, padding 1",
    ),
    ("lecture_residual", {}, frames, "rblock2.conv1 (your rblock2.conv1.1) has the other side's pixels around the image where the paper"),
    ("lecture_residual", {}, frames_with_ones, "rblock1.conv2 (your rblock1.conv2.1) has 1 around the image where the paper has zeros"),
    ("resnet20", {"depth": 8}, reflects_everywhere, "7 of 30 operators: conv1 … conv4_x.0.conv2 (7 places) have reflected pixels around"),
    ("lecture_residual", {}, standardises, "rblock2.conv2 has weights that are computed from your rblock2.conv2.weight"),
    (
        "resnet20",
        {},
        repeats,
        "conv2_x.1 and conv2_x.2 share the weights of conv2_x.0, which are used again, where the paper has a unit of its",
    ),
    (
        "resnet20",
        {},
        repeats_the_last,
        "4 of 72 operators: conv4_x.2 (your conv4_x.1) shares the weights of conv4_x.1, which are used again",
    ),
    (
        "resnet20",
        {"depth": 8},
        widens,
        "in 7 of 30 operators: conv1 has 24 maps where the paper has 16; conv2_x.0.conv1 … conv4_x.0.conv2 (6 places) have more maps too",
    ),
    ("resnet20", {"depth": 8}, widens_the_first, "in 3 of 30 operators: conv1, conv2_x.0.conv1 and conv2_x.0.conv2 have 24 maps where"),
    (
        "resnet20",
        {"depth": 14},
        lengthens_by_one_of_four,
        "in 13 of 51 operators: 3×3 conv 32, BN, ReLU, 3×3 conv 32, BN, ReLU, 3×3 conv 32",
    ),
    ("resnet20", {"depth": 8}, narrows, "the zero channels behind conv4_x.0.shortcut are missing"),
    (
        "resnet20",
        {"depth": 14},
        lengthens,
        "in 14 of 51 operators: 2 units too many stand behind conv3_x.1 (your conv3_x.2.conv1), the paper has 2 in conv3_x",
    ),
    ("resnet20", {"depth": 8}, forgets, "takes mean and variance of the batch in eval mode too, and keeps no others"),
]


@pytest.mark.parametrize(("name", "options", "change", "words"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_sentence_names_what_differs(name: str, options: dict[str, Any], change: Callable[[Any], None], words: str) -> None:
    model = etude.build(name, **options)
    change(model)
    report = etude.verify(model, against=name, **options)
    assert (report.verdict, words in report.sentence) == ("departs", True), report.sentence
    assert not equal_on_both_sides(report.sentence)
    assert english_in(verification_view(report)) == set()


def test_a_wide_network_is_told_to_be_wide() -> None:
    report = etude.verify(WideResNet(), against="preact_resnet110", depth=14)
    assert "conv2_x.1, conv3_x.1 and conv4_x.1 have other numbers of maps than in the paper" in report.sentence
    assert "other numbers than such a layer makes" not in report.sentence
    assert english_in(verification_view(report)) == set()


def test_equal_things_on_both_sides_are_seen() -> None:
    for said in (
        "the addition of conv2_x.0 (your layer1.0) is of 3×3 conv 16 where the paper's is of 3×3 conv 16 (Fig. 4e)",
        "departs in 1 of 2 operators: conv1 has 3×3 conv 6 where the paper has 3×3 conv 6; conv2 is as in the paper",
        "the shortcut of a begins at conv1, in the paper at conv1 (Fig. 1)",
        "conv is fed by the image where resnet20@b feeds it the image (Table 1)",
    ):
        assert equal_on_both_sides(said), said
    assert not equal_on_both_sides("conv1 (your a) has kernel 3×3, padding 1 where the paper has kernel 5×5, padding 2 (slides 4, 14–23)")
