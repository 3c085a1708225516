"""What is packed is followed in whatever form; where a form cannot be followed, nothing is said of a departure."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from etude import build, verify


class Packed(nn.Module):
    """An Inception module of the lecture but for its three 1×1 convolutions on the same maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.five = nn.Conv2d(16, 24, 5, padding=2)
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


def inception(kind: Callable[[int], nn.Module]) -> nn.Module:
    head = (nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), kind(10), nn.Conv2d(88, 20, 5), nn.MaxPool2d(2), nn.ReLU(), kind(20))
    return nn.Sequential(*head, nn.Flatten(), nn.Linear(1408, 10))


@pytest.mark.parametrize("kind", [Grouped, JoinedWeights, Einsum])
def test_packed_layers_are_followed(kind: Callable[[int], nn.Module]) -> None:
    report = verify(inception(kind), "lecture_inception")
    assert report.verdict == "faithful", report.sentence


@pytest.mark.parametrize(
    ("kind", "words"),
    [(EinsumAtOnce, "3: einsum with weights"), (Bmm, "3: weights are applied to something that is not one tensor for each image")],
)
def test_what_cannot_be_followed_is_no_departure(kind: Callable[[int], nn.Module], words: str) -> None:
    report = verify(inception(kind), "lecture_inception")
    assert (report.verdict, report.sentence) == ("could not judge", f"{words} cannot be followed")


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
