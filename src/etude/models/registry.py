"""Every network by name. Rows are plain values; torch is imported only by `build`."""

import fnmatch
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etude.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Row:
    """One registered network.

    name        as on the command line, and in its paper's facts; `@` marks a named departure from the paper
    about       one line for listings
    target      "file:callable" under etude.models
    paper       the facts it claims to satisfy are that paper's, under its name
    input       (channels, height, width) of one image
    options     what the callable is given; a user's options come on top
    departures  what differs from the paper, in words
    """

    name: str
    about: str
    target: str
    paper: str
    input: tuple[int, int, int]
    options: Mapping[str, Any] = field(default_factory=dict)
    departures: tuple[str, ...] = ()

    def factory(self) -> Callable[..., "nn.Module"]:
        """The class or function that makes the network. Imports torch."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(f"etude.models.{module}"), name)


MNIST, CIFAR, IMAGENET = (1, 28, 28), (3, 32, 32), (3, 224, 224)

LECTURE = (
    Row("lecture_inception", "the lecture's Inception network", "lecture:LectureInception", "lecture", MNIST),
    Row("lecture_residual", "the lecture's residual network", "lecture:LectureResidual", "lecture", MNIST),
    Row("lecture_residual_scaled", "Exercise 11-1: constant scaling", "lecture:lecture_residual_scaled", "lecture", MNIST),
    Row("lecture_residual_conv", "Exercise 11-1: conv shortcut", "lecture:lecture_residual_conv", "lecture", MNIST),
    Row("lecture_densenet", "Exercise 11-2: a DenseNet for MNIST", "lecture:LectureDenseNet", "lecture", MNIST),
)

GOOGLENET = (
    Row("googlenet", "GoogLeNet as published, two auxiliary heads", "googlenet:GoogLeNet", "googlenet", IMAGENET),
    Row(
        "googlenet@torchvision",
        "GoogLeNet as in torchvision",
        "googlenet:TorchvisionGoogLeNet",
        "googlenet",
        IMAGENET,
        departures=(
            "batch normalisation behind every convolution in place of biases and of local response normalisation",
            "3×3 in place of the 5×5 in every Inception module",
            "last max pool 2×2 in place of 3×3",
            "heads pooled to 4×4 whatever the map, in place of 5×5 with stride 3",
            "dropout of 20 % in place of 40 %",
        ),
    ),
    Row(
        "googlenet@cifar",
        "GoogLeNet for CIFAR as kuangliu has it",
        "googlenet:CifarGoogLeNet",
        "googlenet",
        CIFAR,
        departures=(
            "one 3×3 convolution to 192 in front of inception (3a), for 3×32×32, in place of three, two max pools and normalisations",
            "batch normalisation behind every convolution and its bias",
            "two 3×3 in place of the 5×5 in every Inception module",
            "max pools padded by 1, in place of windows that reach over the edge",
            "neither auxiliary heads nor dropout",
        ),
    ),
)

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # He 2015, Table 1
V15 = "stride 2 in the 3×3 of a bottleneck; the paper's cost asks for the first 1×1"
CIFAR_STEM = "3×3 conv1 of stride 1 without a pool behind it, for 3×32×32, in place of 7×7 of stride 2 and the max pool"
PROJECTIONS = "1×1 convolutions where the shape changes; on CIFAR the paper uses option A, zero-padding, in all cases"


def _imagenet_resnet(depth: int, suffix: str = "", about: str = "", departures: tuple[str, ...] = (), **options: Any) -> Row:
    options = {"units": UNITS[depth], "bottleneck": depth >= 50, **options}
    return Row(f"resnet{depth}{suffix}", f"ResNet-{depth}{about}", "resnet:ResNet", "resnet", IMAGENET, options, departures)


def _cifar_stem_resnet(depth: int) -> Row:
    """The network of Table 1 for small images, as most code for CIFAR has it under the name of ResNet."""
    options = {"units": UNITS[depth], "bottleneck": depth >= 50, "stem": "3x3", "classes": 10}
    departures: tuple[str, ...] = (CIFAR_STEM,)
    if depth >= 50:
        options, departures = {**options, "stride_in": "3x3"}, (CIFAR_STEM, V15)
    return Row(f"resnet{depth}@cifar", f"ResNet-{depth} with a CIFAR stem", "resnet:ResNet", "resnet", CIFAR, options, departures)


def _cifar(name: str, about: str, departures: tuple[str, ...] = (), **options: Any) -> Row:
    return Row(name, about, "resnet:CifarResNet", "resnet", CIFAR, options, departures)


RESNET = (
    *(_imagenet_resnet(depth) for depth in (18, 34, 50, 101, 152)),
    *(_imagenet_resnet(depth, "@v15", ", stride in the 3×3", (V15,), stride_in="3x3") for depth in (50, 101, 152)),
    *(_cifar_stem_resnet(depth) for depth in (18, 34, 50, 101, 152)),
    *(
        Row(f"plain{depth}", f"{depth} layers without shortcuts", "resnet:ResNet", "resnet", IMAGENET, options)
        for depth in (18, 34)
        for options in [{"units": UNITS[depth], "bottleneck": False, "shortcut": None}]
    ),
    *(_cifar(f"resnet{depth}", f"ResNet-{depth} for CIFAR", depth=depth) for depth in (20, 32, 44, 56, 110, 1202)),
    *(
        _cifar(f"resnet{depth}@b", f"ResNet-{depth} for CIFAR, projections", (PROJECTIONS,), depth=depth, shortcut="B")
        for depth in (20, 32, 44, 56, 110)
    ),
    *(_cifar(f"plain{depth}", f"{depth} layers without shortcuts, CIFAR", depth=depth, shortcut=None) for depth in (20, 32, 44, 56, 110)),
)


def _identity(name: str, about: str, depth: int, **options: Any) -> Row:
    options = {"depth": depth, "bottleneck": depth != 110, **options}
    return Row(name, about, "identity_mappings:CifarIdentityMappings", "identity_mappings", CIFAR, options)


def _cifar_stem_preact(depth: int) -> Row:
    """kuangliu's, as most code for CIFAR has it; 101 and 152 are the same with other `units`."""
    options = {"units": UNITS[depth], "bottleneck": depth >= 50}
    about = f"ResNet-{depth}, pre-activation, with a CIFAR stem"
    departures = (
        "four stages of Table 1 of He 2015 for 3×32×32, which the paper has for ImageNet alone; " + CIFAR_STEM,
        "the first unit's activation behind the split: its shortcut begins with conv1's output as it is",
        "no BN and ReLU behind the last addition",
        "stride 2 in the 3×3 of a bottleneck, in place of the first 1×1"
        if depth >= 50
        else "a 1×1 convolution where channels change in a network of basic blocks, in place of option A",
    )
    target = "identity_mappings:CifarStemPreActResNet"
    return Row(f"preact_resnet{depth}@cifar", about, target, "identity_mappings", CIFAR, options, departures)


IDENTITY_MAPPINGS = (
    _identity("ablation_resnet110", "ResNet-110 with other shortcuts and orders", 110),
    _identity("ablation_resnet164", "ResNet-164 with other shortcuts and orders", 164),
    *(_identity(f"resnet{depth}", f"ResNet-{depth} for CIFAR, original unit", depth) for depth in (164, 1001)),
    *(
        _identity(f"preact_resnet{depth}", f"ResNet-{depth} for CIFAR, pre-activation", depth, order="full_preactivation")
        for depth in (110, 164, 1001)
    ),
    Row("preact_resnet200", "ResNet-200, pre-activation", "identity_mappings:PreActResNet", "identity_mappings", IMAGENET),
    *(_cifar_stem_preact(depth) for depth in (18, 34, 50)),
)


def _cifar_densenet(depth: int, growth_rate: int, bc: bool = False) -> Row:
    options = {"depth": depth, "growth_rate": growth_rate, "bottleneck": bc, "compression": 0.5 if bc else 1.0}
    name, title = ("densenet_bc", "DenseNet-BC") if bc else ("densenet", "DenseNet")
    about = f"{title} for CIFAR, L = {depth}, k = {growth_rate}"
    return Row(f"{name}_{depth}_{growth_rate}", about, "densenet:CifarDenseNet", "densenet", CIFAR, options)


LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32), 264: (6, 12, 64, 48)}  # Table 1
DENSENET_STEM = "3×3 conv1 of stride 1 and nothing behind it, for 3×32×32, in place of 7×7 of stride 2, BN, ReLU and the max pool"


def _densenet(depth: int) -> Row:
    options = {"layers": LAYERS[depth], "growth_rate": 48 if depth == 161 else 32}
    about = f"DenseNet-{depth}, k = {options['growth_rate']}"
    return Row(f"densenet{depth}", about, "densenet:DenseNet", "densenet", IMAGENET, options)


def _cifar_stem_densenet(depth: int) -> Row:
    about, options = f"DenseNet-{depth} with a CIFAR stem", {**_densenet(depth).options, "stem": "3x3", "classes": 10}
    return Row(f"densenet{depth}@cifar", about, "densenet:DenseNet", "densenet", CIFAR, options, (DENSENET_STEM,))


DENSENET = (
    _cifar_densenet(40, 12),
    _cifar_densenet(100, 12),
    _cifar_densenet(100, 24),
    _cifar_densenet(100, 12, bc=True),
    _cifar_densenet(250, 24, bc=True),
    _cifar_densenet(190, 40, bc=True),
    *(_densenet(depth) for depth in LAYERS),
    *(_cifar_stem_densenet(depth) for depth in (121, 161, 169, 201)),
    Row(
        "densenet121_k12@cifar",
        "DenseNet-121 with a CIFAR stem, k = 12",
        "densenet:DenseNet",
        "densenet",
        CIFAR,
        {**_cifar_stem_densenet(121).options, "growth_rate": 12},
        (DENSENET_STEM, "growth rate 12 in place of 32"),
    ),
)

ROWS = (*LECTURE, *GOOGLENET, *RESNET, *IDENTITY_MAPPINGS, *DENSENET)


def names(pattern: str = "*") -> tuple[str, ...]:
    """The names that match a shell pattern such as "resnet*@v15", or all of a paper: "identity_mappings"."""
    return tuple(row.name for row in ROWS if fnmatch.fnmatchcase(row.name, pattern) or row.paper == pattern)


def row(name: str) -> Row:
    """The row of that name. Raises UsageError with the nearest names."""
    for candidate in ROWS:
        if candidate.name == name:
            return candidate
    raise UsageError(f"no model `{name}`; {nearest(name, names())}")


def build(name: str, /, **options: Any) -> "nn.Module":
    """A new network with random weights, e.g. `build("resnet20", classes=100)`.

    Raises UsageError for an unknown name, an option that the network does not have, or a value that means nothing to it.
    """
    wanted = row(name)
    factory = wanted.factory()
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"{name} has no option `{option}`; {nearest(option, known)}")
    try:
        return factory(**{**wanted.options, **options})
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        why = next(iter(str(error).strip().splitlines()), "")
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise UsageError(f"{name}({given}): {why}") from error
