"""What is packed is followed in whatever form; where a form cannot be followed, nothing is said of a departure."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from etude import build, verify
from etude.views.verification import verification_view
from translated import english_in


class Packed(nn.Module):
    """An Inception module of the lecture but for its three 1×1 convolutions on the same maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.five: nn.Module = nn.Conv2d(16, 24, 5, padding=2)
        self.three = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 24, 3, padding=1))
        self.pooled = nn.Conv2d(width, 24, 1)

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        alone, five, three = self.reduced(x)
        return torch.cat([alone, self.five(five), self.three(three), self.pooled(F.avg_pool2d(x, 3, 1, 1))], 1)


class Grouped(Packed):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.all = nn.Conv2d(3 * width, 48, 1, groups=3)

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return self.all(torch.cat([x, x, x], 1)).chunk(3, 1)


class JoinedWeights(Packed):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.each = nn.ModuleList(nn.Conv2d(width, 16, 1) for _ in range(3))

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        weight, bias = (torch.cat([getattr(one, name) for one in self.each]) for name in ("weight", "bias"))
        images, _, *pixels = x.shape
        return list(F.conv2d(x, weight, bias).view(images, 3, 16, *pixels).permute(1, 0, 2, 3, 4))


class Einsum(Packed):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight, self.bias = nn.Parameter(0.1 * torch.randn(3, 16, width)), nn.Parameter(torch.zeros(3, 16, 1, 1))

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return [torch.einsum("nchw,oc->nohw", x, self.weight[i]) + self.bias[i] for i in range(3)]


class EinsumAtOnce(Einsum):
    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return (torch.einsum("nchw,koc->nkohw", x, self.weight) + self.bias).unbind(1)


class Bmm(Einsum):
    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        images, channels, *pixels = x.shape
        columns = x.transpose(0, 1).reshape(1, channels, -1).expand(3, -1, -1)
        return [one.view(16, images, *pixels).transpose(0, 1) for one in torch.bmm(self.weight, columns) + self.bias[..., 0]]


class AmongZeros(Packed):
    """The three 1×1 kernels stand among zeros in 3×3 ones, of one convolution of as many groups."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.weight, self.bias = nn.Parameter(0.1 * torch.randn(48, width, 1, 1)), nn.Parameter(torch.zeros(48))

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return F.conv2d(x.repeat(1, 3, 1, 1), F.pad(self.weight, (1, 1, 1, 1)), self.bias, padding=1, groups=3).chunk(3, 1)


class ChannelsLast(Packed):
    """Linear layers on channels that stand last; a bias, where there is one, is added behind."""

    biases = 3

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.each = nn.ModuleList(nn.Linear(width, 16, bias=False) for _ in range(3))
        self.added = nn.ParameterList(torch.randn(16) for _ in range(self.biases))

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        made = [layer(x.permute(0, 2, 3, 1)) for layer in self.each]
        return [one.permute(0, 3, 1, 2) for one in [*map(torch.add, made, self.added), *made[self.biases :]]]


class OneBiasLess(ChannelsLast):
    biases = 2


class InClosures(Packed):
    """Layers that only a function knows how to call, on a tensor of another class; `twice` calls one of them for another."""

    twice = False

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.each = nn.ModuleList(nn.Conv2d(width, 16, 1) for _ in range(3 - self.twice))
        layers = [*self.each, *self.each][-3:]
        self.call = lambda x: [layer(x).as_subclass(Tensor) for layer in layers]

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return self.call(x.as_subclass(Fluent))  # type: ignore[no-untyped-call]


class OneTwice(InClosures):
    twice = True


class Fluent(Tensor):
    pass


class Columns(nn.Linear):
    """A convolution as a product with columns, which keeps the size of the map."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(inputs * kernel * kernel, outputs)
        self.facts = {"kernel_size": kernel, "dilation": dilation, "padding": dilation * (kernel // 2)}

    def forward(self, x: Tensor) -> Tensor:
        made = super().forward(F.unfold(x, **self.facts).transpose(1, 2))
        return made.transpose(1, 2).unflatten(2, x.shape[2:])


class OtherColumns(Packed):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.each = nn.ModuleList(Columns(width, 16, 1) for _ in range(3))
        self.five = Columns(16, 24, 5, dilation=2)

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        return [layer(x) for layer in self.each]


def inception(kind: Callable[[int], nn.Module]) -> nn.Module:
    head = (nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), kind(10), nn.Conv2d(88, 20, 5), nn.MaxPool2d(2), nn.ReLU(), kind(20))
    return nn.Sequential(*head, nn.Flatten(), nn.Linear(1408, 10))


@pytest.mark.parametrize("kind", [Grouped, JoinedWeights, Einsum, AmongZeros, ChannelsLast, InClosures])
def test_packed_layers_are_followed(kind: Callable[[int], nn.Module]) -> None:
    report = verify(inception(kind), "lecture_inception")
    assert report.verdict == "faithful", report.sentence


@pytest.mark.parametrize(
    ("kind", "words"),
    [(EinsumAtOnce, "3: einsum with weights"), (Bmm, "3: weights applied to something that is not one tensor for each image")],
)
def test_what_cannot_be_followed_is_no_departure(kind: Callable[[int], nn.Module], words: str) -> None:
    report = verify(inception(kind), "lecture_inception")
    assert (report.verdict, report.sentence) == ("could not judge", f"{words} cannot be followed")


DEPARTING: list[tuple[Callable[[int], nn.Module], str]] = [
    (OneBiasLess, "departs in 2 of 26 operators: incep1.branch3x3_1 and incep2.branch3x3_1 have no bias where the paper has a bias"),
    (OneTwice, "shares the weights of incep1.branch"),
    (OtherColumns, "incep1.branch5x5_2 and incep2.branch5x5_2 have padding 4, dilation 2 where the paper has padding 2, dilation 1"),
]


@pytest.mark.parametrize(("kind", "words"), DEPARTING)
def test_a_departure_in_another_form_is_named(kind: Callable[[int], nn.Module], words: str) -> None:
    report = verify(inception(kind), "lecture_inception")
    assert (report.verdict, words in report.sentence) == ("departs", True), report.sentence


class Undirected(Grouped):
    """The maps that the reducers work on are cut off from the gradients."""

    def reduced(self, x: Tensor) -> Sequence[Tensor]:
        with torch.no_grad():
            copied = torch.cat([x, x, x], 1)
        return self.all(copied).chunk(3, 1)


def test_what_no_gradient_passes_through_is_named() -> None:
    report = verify(inception(Undirected), "lecture_inception")
    assert report.sentence == "it computes the table's function, and other gradients: none passes through concat in your 3"
    assert "torch.cat([x, x, x], 1)" in Path(__file__).read_text("utf-8").splitlines()[int(report.line.rpartition(":")[2]) - 1]


class Pooled(nn.Module):
    """A transition whose pool stands in front of its convolution: without a bias, the same function."""

    def __init__(self, transition: Any) -> None:
        super().__init__()
        self.norm, self.conv = transition.norm, transition.conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.avg_pool2d(F.relu(self.norm(x)), 2))


class ByHand(nn.Module):
    """A normalisation whose statistics are kept in another module than its scale and shift."""

    def __init__(self, norm: Any, kept: nn.Module) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        self.kept: list[Any] = [kept]
        kept.register_buffer("middle", torch.zeros(len(norm.weight)))
        kept.register_buffer("spread", torch.ones(len(norm.weight)))

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.kept[0].middle, self.kept[0].spread
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            self.kept[0].middle.lerp_(mean.detach(), 0.1)
            self.kept[0].spread.lerp_(variance.detach(), 0.1)
        scaled = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


def test_a_pool_and_a_convolution_that_commute() -> None:
    network = build("densenet_40_12", depth=10)
    network.transition_1 = Pooled(network.transition_1)
    report = verify(network, "densenet_40_12", depth=10)
    assert report.verdict == "faithful", report.sentence


def test_statistics_that_are_kept_elsewhere() -> None:
    network = build("resnet20", depth=8)
    network.norm1 = ByHand(network.norm1, network)
    report = verify(network, "resnet20", depth=8)
    assert report.verdict == "faithful", report.sentence


def test_a_thread_that_is_lost_is_no_departure() -> None:
    network = build("lecture_residual")
    own = network.forward
    network.forward = lambda x: torch.func.vmap(lambda image: own(image[None])[0])(x)
    report = verify(network, "lecture_residual")
    assert (report.verdict, "cannot be followed back to the image" in report.sentence) == ("could not judge", True), report.sentence


class Turned(nn.Module):
    """A weight that is kept with its rows in the other order."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.flip(2)

    right_inverse = forward


def small(change: Callable[[nn.Module], object]) -> nn.Module:
    network = build("resnet20", depth=8)
    change(network)
    return network


def without_statistics(network: nn.Module) -> None:
    for norm in [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)][-1:]:
        norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None


def of_layer(change: Callable[[nn.Conv2d], object]) -> Callable[[nn.Module], object]:
    return lambda network: change([part for part in network.modules() if isinstance(part, nn.Conv2d)][1])


RESNETS: list[tuple[Callable[[nn.Module], object], str, str]] = [
    (of_layer(lambda conv: parametrize.register_parametrization(conv, "weight", Turned())), "faithful", ""),
    (of_layer(lambda conv: conv.weight.requires_grad_(False)), "faithful", "is frozen (requires_grad = False)"),
    (of_layer(nn.utils.weight_norm), "departs", "conv2_x.0.conv1 has weights that are computed from your"),
    (of_layer(parametrizations.spectral_norm), "departs", "conv2_x.0.conv1 has weights that are computed from your"),
    (without_statistics, "departs", "takes mean and variance of the batch in eval mode too, and keeps no others"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("change", "verdict", "words"), RESNETS)
def test_of_weights_and_statistics_what_is_true_is_said(change: Callable[[nn.Module], object], verdict: str, words: str) -> None:
    report = verify(small(change), "resnet20", depth=8)
    assert (report.verdict, words in "; ".join([report.sentence, *report.notes])) == (verdict, True), report.sentence
    assert report.place == ("" if verdict == "faithful" else "conv4_x.0.norm2" if change is without_statistics else "conv2_x.0.conv1")


def still(network: nn.Module) -> None:
    for norm in [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]:
        norm.momentum = 0.0


def result(change: Callable[[nn.Module, Tensor], object]) -> Callable[[nn.Module], object]:
    """Of the network and its logits, something else is returned."""

    def changed(network: nn.Module) -> None:
        own = network.forward
        network.forward = lambda x: change(network, own(x))

    return changed


def ceiling(network: Any) -> None:
    network.norm1.register_forward_hook(lambda module, given, made: made.clamp(max=6))


def noisy(draw: Callable[[], float]) -> Callable[[nn.Module], object]:
    """With a chance of which no run is sure to show anything."""
    return result(lambda network, x: x * (2.0 if network.training and draw() < 1e-9 else 1.0))


def without_gradient(network: nn.Module) -> None:
    network.forward = torch.no_grad()(network.forward)


def through_float32(convert: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], object]:
    """What comes in and what goes into the linear layer is converted."""

    def changed(network: Any) -> None:
        for part in (network, network.fc):
            part.register_forward_pre_hook(lambda module, given: convert(given[0]))

    return changed


MORE: list[tuple[Callable[[nn.Module], object], str, str]] = [
    (still, "departs", "training leaves the running statistics of norm1 (your norm1.running_mean) and of 6 more as they are"),
    (ceiling, "departs", "norm1"),
    (noisy(random.random), "departs", "in training mode it draws random numbers of its own"),
    (noisy(lambda: torch.rand(()).item()), "departs", "in training mode it draws random numbers of its own"),
    (noisy(lambda: np.random.random()), "departs", "in training mode it draws random numbers of its own"),
    (result(lambda network, x: (x[:, :7], x)), "faithful", ""),
    (result(lambda network, x: x.squeeze()), "faithful", "for a single image it gives 10, without the batch"),
    (without_gradient, "departs", "other gradients: none passes through"),
    (through_float32(lambda x: x.float()), "faithful", ""),
    (through_float32(lambda x: x.to(torch.float32)), "faithful", ""),
    (through_float32(lambda x: x * torch.ones(x.shape[1:], dtype=torch.float32)), "faithful", ""),
    (through_float32(lambda x: x.to(dtype=torch.float32).relu()), "departs", ""),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("change", "verdict", "words"), MORE)
def test_what_one_run_on_weak_images_does_not_show(change: Callable[[nn.Module], object], verdict: str, words: str) -> None:
    report = verify(small(change), "resnet20", depth=8)
    assert (report.verdict, words in "; ".join([report.sentence, *report.notes])) == (verdict, True), report.sentence


class Followed(nn.Module):
    """A batch normalisation whose statistics are followed by `update`, which is given the old mean and variance and the batch's."""

    mean: Tensor
    variance: Tensor

    def __init__(self, maps: int, update: Callable[..., tuple[Tensor, Tensor]], order: Sequence[str]) -> None:
        super().__init__()
        self.weight, self.bias, self.update = nn.Parameter(torch.ones(maps)), nn.Parameter(torch.zeros(maps)), update
        for name in order:
            self.register_buffer(name, torch.full((maps,), float(name == "variance")))

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            with torch.no_grad():
                self.mean, self.variance = self.update(self.mean, self.variance, mean, variance)
        x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return x * self.weight[:, None, None] + self.bias[:, None, None]


def normalises_by_hand(
    update: Callable[..., tuple[Tensor, Tensor]], order: Sequence[str] = ("mean", "variance")
) -> Callable[[nn.Module], object]:
    return lambda network: setattr(network.conv2_x[0], "norm1", Followed(16, update, order))  # type: ignore[index]


UPDATES: list[tuple[Callable[[nn.Module], object], str, str]] = [
    (normalises_by_hand(lambda m, v, mean, var: (m.lerp(mean, 0.1), v.lerp(var, 0.1))), "faithful", ""),
    (normalises_by_hand(lambda m, v, mean, var: (m.lerp(mean, 0.1), v.lerp(var, 0.1)), ("variance", "mean")), "faithful", ""),
    (normalises_by_hand(lambda m, v, mean, var: (mean, var)), "faithful", ""),
    (
        normalises_by_hand(lambda m, v, mean, var: (m.lerp(var, 0.1), v.lerp(mean.abs(), 0.1))),
        "departs",
        "training takes the running mean of conv2_x.0.norm1 (your conv2_x.0.norm1.mean) to the batch's variance; in eval mode it",
    ),
    (
        normalises_by_hand(lambda m, v, mean, var: (m + 0.1 * mean, v.lerp(var, 0.1))),
        "departs",
        "training takes the running mean of conv2_x.0.norm1 (your conv2_x.0.norm1.mean) elsewhere than to the batch's mean",
    ),
    (
        normalises_by_hand(lambda m, v, mean, var: (m.lerp(mean, 0.1), v.lerp(var + mean**2, 0.1))),
        "departs",
        "training takes the running variance of conv2_x.0.norm1 (your conv2_x.0.norm1.variance) elsewhere than to the batch's variance",
    ),
    (
        normalises_by_hand(lambda m, v, mean, var: (m.lerp(mean, 0.1), v)),
        "departs",
        "training leaves the running statistics of conv2_x.0.norm1 (your conv2_x.0.norm1.variance) as they are",
    ),
]


@pytest.mark.parametrize(("change", "verdict", "words"), UPDATES)
def test_running_statistics_are_to_follow_those_of_the_batch(change: Callable[[nn.Module], object], verdict: str, words: str) -> None:
    report = verify(small(change), "resnet20", depth=8)
    assert (report.verdict, words in report.sentence) == (verdict, True), report.sentence
    assert english_in(verification_view(report)) == set()


@pytest.mark.parametrize("part", ["bn", "outputs"])
def test_what_is_no_number_is_not_equal(part: str) -> None:
    """Comparisons with NaN are all false: what is not above a limit need not be below it."""

    def negative(network: Any) -> None:
        network.norm1.register_forward_pre_hook(lambda norm, _: None if norm.training else (norm.running_var.abs_().neg_(), None)[1])

    def of_nothing(network: Any) -> None:
        network.fc.register_forward_hook(lambda fc, given, made: made if fc.training else made * torch.nan)

    report = verify(small(negative if part == "bn" else of_nothing), "resnet20", depth=8)
    assert (report.verdict, "in eval mode" in report.sentence) == ("departs", True), report.sentence


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_network_is_followed() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.pool1, self.conv2, self.fc = nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Linear(484, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv2(self.pool1(self.conv1(x))).flatten(1))

    report = verify(torch.jit.script(Net()), "lecture_residual")
    assert report.verdict == "departs", report.sentence
