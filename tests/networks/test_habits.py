"""What code out there does with a network, habit by habit: a ResNet of 8 layers in which one thing is done otherwise."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import etude
from etude import verify
from etude.verification.judge import NOT_COPIED
from etude.views.verification import verification_view
from sentences import equal_on_both_sides
from translated import english_in


class Unit(nn.Module):
    def __init__(self, net: "Net", given: int, maps: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(given, maps, 3, stride, 1, bias=False), nn.Conv2d(maps, maps, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = net.norm(maps), net.norm(maps)
        self.stride, self.zeros, self.kept = stride, maps - given, net.kept

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(self.kept(x), (0, 0, 0, 0, 0, self.zeros))
        return F.relu(x + y)


class Net(nn.Module):
    """The whole; what a habit does otherwise is one of its small methods."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), self.norm(16)
        self.units = nn.Sequential(Unit(self, 16, 16, 1), Unit(self, 16, 32, 2), Unit(self, 32, 64, 2))
        self.fc = nn.Linear(64, 10)
        self.made()

    def made(self) -> None: ...

    @staticmethod
    def norm(maps: int) -> nn.Module:
        return nn.BatchNorm2d(maps)

    @staticmethod
    def kept(x: Tensor) -> Tensor:
        return x[:, :, ::2, ::2]

    def begin(self, x: Tensor) -> Tensor:
        return x

    def stem(self, x: Tensor) -> Tensor:
        return F.relu(self.norm1(self.conv1(x)))

    def pool(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))

    def end(self, x: Tensor) -> Any:
        return x

    def forward(self, x: Tensor) -> Any:
        return self.end(self.fc(self.pool(self.units(self.stem(self.begin(x))))))


class ByMode(nn.BatchNorm2d):
    """As a textbook has it that knows no eval mode: by whether gradients are enabled."""

    def forward(self, x: Tensor) -> Tensor:
        self.training = torch.is_grad_enabled()
        return super().forward(x)


class WithoutBatch(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=False)


class Drifting(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training and self.running_mean is not None:
            self.running_mean.lerp_(x.detach().mean((0, 2, 3)), 0.1)
        return super().forward(x)


def of(**otherwise: Any) -> type[Net]:
    """The network with other methods."""
    return type("Otherwise", (Net,), otherwise)


def no_return(self: Net, mode: bool = True) -> None:
    nn.Module.train(self, mode)


def clamped(self: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        self.fc.weight.clamp_(-0.1, 0.1)
    return x


def remembered(self: Any, x: Tensor) -> Tensor:
    """As code that looks at what it gave last."""
    self.last = x
    return x


def subtracted(self: Net, x: Tensor) -> Tensor:
    x -= 0.5
    return x


def assigned(self: Net, x: Tensor) -> Tensor:
    x[:, 0] = (x[:, 0] - 0.5) / 0.25
    return x


def doubled(self: Net, x: Tensor) -> Tensor:
    y = x.clone()
    x *= 2
    return y


def wide(self: Any) -> None:
    self.fc = nn.Linear(64 * 8 * 8, 10)


def spare(self: Any) -> None:
    """As blocks that all declare a projection, and use it where sizes change."""
    for unit in self.units:
        unit.projection = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))


def spare_and_biased(self: Any) -> None:
    spare(self)
    self.conv1 = nn.Conv2d(3, 16, 3, 1, 1)


def seen_on_the_way(self: Any, x: Tensor) -> Tensor:
    """As code that keeps what it saw last, in a list."""
    self.seen = [self.stem(x)]
    return self.fc(self.pool(self.units(self.seen[0])))


def checkpointed(self: Any, x: Tensor) -> Tensor:
    """As code that saves memory from the image on, the old way."""
    x = checkpoint(lambda x: self.units[0](self.stem(x)), x, use_reentrant=True)
    return self.fc(self.pool(self.units[2](self.units[1](x))))


class Drop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, self.training)


def with_drops_of_its_own(self: Any) -> None:
    self.drops = [Drop()]


def with_a_head(self: Any) -> None:
    self.aux = nn.Linear(32, 10)


def with_what_the_head_gives(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    x = self.units[1](self.units[0](self.stem(x)))
    return self.fc(self.pool(self.units[2](x))), self.aux(x.mean((2, 3)))


def mlp(self: Any) -> None:
    self.fc = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def frozen(self: Net) -> None:
    self.requires_grad_(False)


def started_at(number: float) -> Callable[[Any], object]:
    return lambda self: nn.init.constant_(self.units[1].conv1.weight, number)


HABITS: list[tuple[type[Net], str, str]] = [
    (Net, "faithful", ""),
    (of(norm=staticmethod(ByMode)), "faithful", ""),
    (of(train=no_return), "faithful", ""),
    (of(kept=staticmethod(lambda x: x[:, :, ::2, 1::2])), "faithful", "keep pixel (0, 1) of every 2×2"),
    (of(end=lambda self, x: (x.softmax(1), x)), "faithful", ""),
    (of(begin=doubled), "faithful", "forward overwrites the images that it is given"),
    (of(end=remembered), "faithful", ""),
    (of(end=lambda self, x: (x, x > 0)), "faithful", ""),
    (of(made=lambda self: self.register_buffer("unset", torch.full((3,), torch.nan))), "faithful", ""),
    (of(made=lambda self: nn.init.zeros_(self.fc.weight)), "faithful", ""),
    (of(made=frozen), "faithful", "more parameters are frozen"),
    (
        of(norm=staticmethod(WithoutBatch)),
        "departs",
        "conv4_x.0.norm2 (7 places) take the running statistics in training mode too",
    ),
    (of(norm=staticmethod(Drifting)), "departs", "in eval mode forward changes your norm1.running_mean and 6 more"),
    (of(begin=clamped), "departs", "forward changes your fc.weight, which is the optimiser's to do"),
    (of(begin=subtracted), "departs", "sub stands in front of conv1"),
    (of(begin=assigned), "departs", "stand in front of conv1"),
    (of(stem=lambda self, x: self.conv1(x)), "departs", "the BN norm1 is missing; the ReLU behind norm1 is missing"),
    (of(norm=staticmethod(lambda maps: nn.GroupNorm(4, maps))), "departs", "stands group_norm"),
    (
        of(pool=lambda self, x: x.flatten(1), made=wide),
        "departs",
        "in place of the global average pool behind the addition of",
    ),
    (of(pool=lambda self, x: x.mean((1, 2)).repeat(1, 8)), "departs", "stands mean"),
    (
        of(end=lambda self, x: x if self.training else x.softmax(1)),
        "departs",
        "in eval mode softmax follows fc, where",
    ),
    (of(end=lambda self, x: x.clamp(-1e-3, 1e-3)), "departs", "clamp follows fc"),
    (
        of(end=lambda self, x: x.relu(), stem=lambda self, x: F.relu(self.conv1(x))),
        "departs",
        "ReLU follows fc, where the paper",
    ),
    (of(made=mlp, end=lambda self, x: x.relu().view(x.shape)), "departs", "where the paper has 10; ReLU follows fc"),
    (
        of(made=spare),
        "departs",
        "your units.0.projection.0.weight (16×16×1×1) and 8 more parameters are never used, and the table has no layer for them",
    ),
    (
        of(made=spare_and_biased),
        "departs",
        "as in the paper; your units.0.projection.0.weight (16×16×1×1) and 8 more parameters are never used (section 4.2; Table 6)",
    ),
    (
        of(made=lambda self: self.register_parameter("device", nn.Parameter(torch.empty(0)))),
        "departs",
        "your device (0) is never used, and the table has no layer for it",
    ),
    (of(made=mlp), "departs", "fc (your fc.0) has 32 features where the paper has 10; ReLU follows fc"),
    (of(made=started_at(0.0)), "departs", "the weights of conv3_x.0.conv1 all start at 0; the paper starts them at random"),
    (of(made=started_at(float("nan"))), "departs", "conv3_x.0.conv1 starts with NaN or infinity among its weights"),
    (
        of(made=lambda self: nn.init.constant_(self.norm1.weight, torch.nan)),
        "departs",
        "norm1 starts with NaN or infinity among its weights",
    ),
    (of(made=lambda self: setattr(self, "acts", [nn.ReLU(), nn.ReLU()])), "faithful", ""),
    (of(end=lambda self, x: (x > 0, x)), "faithful", ""),
    (of(end=lambda self, x: (x > 0, x), stem=lambda self, x: F.relu(self.conv1(x))), "departs", "the BN norm1 is missing"),
    (of(end=lambda self, x: (x.argmax(1), x)), "faithful", ""),
    (of(made=with_drops_of_its_own), "departs", "the layers in drops stand in a plain list"),
    (of(end=lambda self, x: x if self.training else x.argmax(1)), "departs", "`forward` gives whole numbers, as classes are counted"),
    (of(forward=seen_on_the_way), "faithful", ""),
    (of(forward=checkpointed), "departs", "no gradient reaches your conv1.weight and 8 more in training, where images want none"),
    (
        of(made=with_a_head, forward=with_what_the_head_gives),
        "departs",
        "your aux.weight (10×32) and 1 more parameter take part only in something else, and the table has no layer for them",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("network", "verdict", "words"), HABITS, ids=lambda value: str(value)[:60])
def test_a_habit_and_what_is_said_of_it(network: type[Net], verdict: str, words: str) -> None:
    report = verify(network(), "resnet20", depth=8)
    said = "; ".join([report.sentence, *report.choices, *report.notes])
    assert (report.verdict, words in said) == (verdict, True), said
    assert not equal_on_both_sides(report.sentence)
    assert english_in(verification_view(report)) == set()


DEFAULT = "the convolutions start as torch draws them by default; the paper has the initialisation of He 2015"


def redrawn(draw: Callable[[nn.Conv2d], object], every: int = 1) -> Callable[[Any], None]:
    """Draws the convolutions of a network anew, or of several one."""

    def change(model: nn.Module) -> None:
        for conv in [part for part in model.modules() if isinstance(part, nn.Conv2d)][::every]:
            draw(conv)

    return change


by_default = redrawn(nn.Conv2d.reset_parameters)


@pytest.mark.parametrize(
    ("name", "options", "change", "note"),
    [
        ("resnet20", {"depth": 8}, by_default, f"{DEFAULT} (section 4.2)"),
        ("densenet_40_12", {"depth": 10}, by_default, f"{DEFAULT} (section 4.2)"),
        ("resnet18", {"units": (1, 1, 1, 1)}, by_default, f"{DEFAULT} (section 3.4)"),
        ("resnet20@b", {"depth": 8}, by_default, ""),  # no network of a paper
        ("lecture_residual", {}, by_default, ""),  # the slides do not say how
        ("resnet20", {"depth": 8}, redrawn(nn.Conv2d.reset_parameters, every=2), ""),
        ("resnet20", {"depth": 8}, redrawn(lambda conv: nn.init.kaiming_normal_(conv.weight)), ""),
        ("resnet20", {"depth": 8}, redrawn(lambda conv: nn.init.kaiming_uniform_(conv.weight)), ""),
        ("resnet20", {"depth": 8}, redrawn(lambda conv: nn.init.xavier_uniform_(conv.weight)), ""),
        ("resnet20", {"depth": 8}, redrawn(lambda conv: nn.init.normal_(conv.weight, std=0.01)), ""),
    ],
)
def test_who_leaves_the_first_weights_to_torch_is_told(
    name: str, options: dict[str, Any], change: Callable[[Any], None], note: str
) -> None:
    model = etude.build(name, **options)
    change(model)
    report = verify(model, name, **options)
    assert report.verdict == "faithful", report.sentence
    assert [said for said in report.notes if "by default" in said] == [note] * bool(note)
    assert english_in(verification_view(report)) == set()
    assert not [said for said in verify(model, name, trained=True, **options).notes if "by default" in said]


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_cannot_be_copied_stays_as_it_is() -> None:
    net: Any = etude.build("resnet20", depth=8)
    net.lock = threading.Lock()
    before = {name: own.clone() for name, own in net.state_dict().items()}
    for report in (verify(net, "resnet20", depth=8), etude.identify(net)):
        assert (report.verdict, report.sentence) == ("could not judge", NOT_COPIED)
    assert all(torch.equal(own, before[name]) for name, own in net.state_dict().items())
    assert all(own.requires_grad for own in net.parameters())
    assert verify(lambda: net, "resnet20", depth=8).verdict == "faithful"  # which is made to be judged


def test_what_was_seen_last_does_not_stand_in_the_way_of_a_copy() -> None:
    net = of(forward=seen_on_the_way)()
    F.cross_entropy(net(torch.randn(2, 3, 32, 32)), torch.zeros(2, dtype=torch.int64)).backward()
    before = net.conv1.weight.detach().clone()
    assert verify(net, "resnet20", depth=8).verdict == "faithful"
    assert torch.equal(net.conv1.weight, before) and net.conv1.weight.dtype is torch.float32


@pytest.mark.parametrize("network", [Net, of(begin=lambda self, x: x.double())])
def test_a_network_in_float64_is_judged(network: type[Net]) -> None:
    assert verify(network().double(), "resnet20", depth=8).verdict == "faithful"


@pytest.mark.parametrize("features_first", [True, False])
def test_logits_for_other_classes_are_told_from_features(features_first: bool) -> None:
    class WithFeatures(of()):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(64, 100)

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            features = self.pool(self.units(self.stem(x)))
            return (features, self.fc(features)) if features_first else (self.fc(features), features)

    report = verify(WithFeatures(), "resnet20", depth=8)
    assert (report.verdict, report.adapted) == ("faithful", ("100 classes in place of 10",)), report.sentence


def test_one_logit_keeps_its_batch() -> None:
    net: Any = etude.build("resnet20", depth=8, classes=1)
    net.register_forward_hook(lambda own, given, made: made.squeeze(1))
    assert not [said for said in verify(net, "resnet20", depth=8, classes=1).notes if "without the batch" in said]


def test_frozen_parameters_are_not_said_to_learn() -> None:
    report = verify(of(made=frozen)(), "resnet20", depth=8)
    assert "every parameter that is not frozen receives a gradient" in report.levels[-1].evidence


def drops_by_hand(x: Tensor) -> Tensor:
    return x * (torch.rand_like(x) > 0.2) / 0.8


def test_a_dropout_by_hand_is_no_departure_where_the_table_has_one() -> None:
    options: dict[str, Any] = {"depth": 10, "dropout": 0.2}
    model: Any = etude.build("densenet_40_12", **options)
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.register_forward_hook(lambda own, given, made: drops_by_hand(given[0]) if own.training else made)
    report = verify(model, "densenet_40_12", **options)
    assert (report.verdict, "where the table has a dropout" in report.sentence) == ("could not judge", True), report.sentence


def test_a_dropout_of_whole_channels_is_another_one() -> None:
    options: dict[str, Any] = {"depth": 10, "dropout": 0.2}
    model: Any = etude.build("densenet_40_12", **options)
    for part in list(model.modules()):
        for name, own in list(part.named_children()):
            if isinstance(own, nn.Dropout):
                setattr(part, name, nn.Dropout2d(own.p))
    report = verify(model, "densenet_40_12", **options)
    assert (report.verdict, "stands dropout2d" in report.sentence) == ("departs", True), report.sentence


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_heads_with_other_dropouts_are_no_missing_heads(share: float) -> None:
    model: Any = etude.build("googlenet")
    for head in (model.aux1, model.aux2):
        head.fc1 = nn.Sequential(nn.Dropout(0.5), head.fc1)
        head.dropout = nn.Dropout(share)
    report = verify(model, "googlenet")
    assert report.verdict == "departs"
    assert "stand in front of aux1.fc1 and aux2.fc1" in report.sentence and "missing" not in report.sentence, report.sentence


class Cropped(nn.Module):
    """What it does to images of 224 pixels a side it does not do to smaller ones."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.change = etude.build("resnet18", units=(1, 1, 1, 1)), change

    def forward(self, x: Tensor) -> Any:
        return self.body(self.change(x))


SIZED = [
    (
        lambda x: x[:, :, :200, :200],
        "departs",
        "on images of 3×64×64 it computes the table's function, and another one on",
    ),
    (lambda x: F.interpolate(x, (224, 224)), "faithful", ""),
    (lambda x: F.pad(x, (0, 224 - x.shape[-1], 0, 224 - x.shape[-2])), "faithful", ""),
    (lambda x: x if x.shape[-1] > 64 else x.flip(-1), "faithful", ""),
]


@pytest.mark.parametrize(("change", "verdict", "words"), SIZED)
def test_what_only_images_of_the_papers_size_show(change: Callable[[Tensor], Tensor], verdict: str, words: str) -> None:
    report = verify(Cropped(change), "resnet18", units=(1, 1, 1, 1))
    assert (report.verdict, words in report.sentence) == (verdict, True), report.sentence
    assert english_in(verification_view(report)) == set()


class Normed(nn.Module):
    """A convolution without a bias, and the batch normalisation behind it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        facts: dict[str, Any] = {"stride": conv.stride, "padding": conv.padding, "bias": False}
        self.conv = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **facts)  # type: ignore[arg-type]
        self.norm = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


def test_batch_normalisation_in_place_of_biases_is_told_at_all_places() -> None:
    """As most code for GoogLeNet has it."""
    model: Any = etude.build("googlenet")
    for part in list(model.modules()):
        for name, own in list(part.named_children()):
            if isinstance(own, nn.Conv2d):
                setattr(part, name, Normed(own))
    report = verify(model, "googlenet")
    for words in ("(59 places) have no bias where the paper has a bias", "BN stand in front of the ReLU behind conv1"):
        assert words in report.sentence, report.sentence
    assert "fc is as in the paper" in report.sentence
    assert report.levels[3].evidence == ("98 of 157 operators agree, and 59 more run",)
