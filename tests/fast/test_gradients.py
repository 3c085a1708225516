"""Gradients as measured: held to sums done by hand, to plain autograd, and to finite differences; and measuring leaves no trace."""

import copy
import dataclasses
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.errors import EtudeError, UsageError
from etude.explain.depth import NETWORKS, depth_comparison
from etude.explain.gradients import GradientReport, LayerGradient, gradients
from etude.explain.graph import DoesNotRun
from etude.models import registry
from etude.models.identity_mappings import Shortcut
from etude.report.gradients import depth_figure, gradient_figure
from etude.report.terminal import text_of
from etude.views.network import Subject, network_view, whole_view
from reduced import image, loss_of, small

NAMES = (*registry.names("lecture"), "resnet20", "resnet20@b", "plain20", "preact_resnet110", "densenet_40_12")
SHORTCUTS = get_args(Shortcut)


def batch(shape: tuple[int, int, int], count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *shape, generator=generator), torch.randint(0, 10, (count,), generator=generator)


def made(name: str) -> tuple[nn.Module, Tensor, Tensor]:
    return (etude.build(name, **small(name)), *batch(image(name)))


# ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Mean(nn.Module):
    """A network whose loss is the mean of its outputs; the labels do not matter."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return self(x).mean()


def pointwise(*factors: float, bias: Sequence[float] = ()) -> nn.Conv2d:
    """A 1×1 convolution that multiplies every channel by its factor."""
    made = nn.Conv2d(len(factors), len(factors), 1, bias=bool(bias))
    made.weight = nn.Parameter(torch.diag(torch.tensor(factors))[:, :, None, None])
    if made.bias is not None:
        made.bias = nn.Parameter(torch.tensor(bias))
    return made


def test_a_product_of_two_numbers() -> None:
    """loss = mean of w₂·w₁·x, so its derivatives are w₂·mean(x) and w₁·mean(x)."""
    report = gradients(Mean(pointwise(3.0), pointwise(-2.0)), torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), torch.zeros(2, dtype=torch.int64))
    assert report == GradientReport(
        images=2,
        loss=-9.0,
        layers=(
            LayerGradient("layers.0", "conv", 1, gradient=3.0, weight=3.0, ratio=1.0, mean=4.5, std=1.5),
            LayerGradient("layers.1", "conv", 1, gradient=4.5, weight=2.0, ratio=2.25, mean=-9.0, std=3.0),
        ),
        rectifiers=(),
        residual_blocks=(),
        blocks=(),
    )


def test_biases_are_parameters_but_no_weights() -> None:
    (layer,) = gradients(Mean(pointwise(3.0, bias=(5.0,))), torch.ones(2, 1, 1, 1), torch.zeros(2)).layers
    assert (layer.parameters, layer.weight, layer.gradient, layer.mean) == (2, 3.0, 1.0, 8.0)


class Residual(nn.Module):
    """x + F(x)."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)


def shares(report: GradientReport) -> list[tuple[float, float, float, float]]:
    return [(b.shortcut, b.branch, b.shortcut_gradient, b.branch_gradient) for b in report.residual_blocks]


def test_a_branch_of_zeros_carries_nothing() -> None:
    branch = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), pointwise(0.0, 0.0))
    x, y = batch((2, 4, 4))
    (block,) = gradients(Mean(Residual(branch)), x, y).residual_blocks
    assert (block.shortcut, block.branch, block.shortcut_gradient, block.branch_gradient) == (1, 0, 1, 0)
    assert block.path == "layers.0" and not block.projection
    assert block.gradient == pytest.approx(x.numel() ** -0.5)  # of a mean: 1/n at each of n numbers


def test_a_gradient_below_one() -> None:
    """F = −0.9·x: the sum is a tenth of x, its derivative 0.1, and the shares are ten and nine times that."""
    (block,) = gradients(Mean(Residual(pointwise(-0.9, -0.9))), *batch((2, 4, 4))).residual_blocks
    assert dataclasses.astuple(block)[2:6] == pytest.approx((10, 9, 10, 9), rel=1e-5)
    assert block.gradient == pytest.approx(0.1 * (4 * 32) ** -0.5, rel=1e-5)


def test_projections_are_shortcuts_and_equal_branches_are_not() -> None:
    def conv() -> nn.Module:
        return nn.Conv2d(2, 2, 1)

    two, one = nn.Sequential(conv(), nn.BatchNorm2d(2), nn.ReLU(), conv()), nn.Sequential(conv(), nn.BatchNorm2d(2))
    x, y = batch((2, 4, 4))
    (block,) = gradients(Mean(Residual(two, one)), x, y).residual_blocks
    assert block.projection
    assert not gradients(Mean(Residual(conv(), conv())), x, y).residual_blocks
    assert not gradients(Mean(Residual(nn.ReLU(), nn.BatchNorm2d(2)), conv()), x, y).residual_blocks
    assert not gradients(Mean(Residual(copy.deepcopy(two), two)), x, y).residual_blocks
    assert not gradients(Mean(Residual(nn.Sequential(*two, conv()), two)), x, y).residual_blocks


def test_units_dead_by_construction() -> None:
    """Of four channels two are far below zero; of the others one is above zero for all pixels but one of four."""
    conv = pointwise(1.0, 1.0, 1.0, 1.0, bias=(-100.0, -100.0, 100.0, 0.0))
    x = torch.tensor([1.0, 1.0, 1.0, -1.0]).view(1, 1, 2, 2).expand(3, 4, 2, 2)
    linear = nn.Linear(16, 2)
    nn.init.constant_(linear.bias, -1e6)
    report = gradients(Mean(conv, nn.ReLU(), nn.Flatten(), linear, nn.ReLU(inplace=True)), x, torch.zeros(3))
    first, second = report.rectifiers
    assert (first.path, first.layer, first.dead, first.zero) == ("layers.1", 0, 0.5, (8 + 1) / 16)
    assert (second.layer, second.dead, second.zero) == (1, 1, 1)
    assert report.layers[1].mean == pytest.approx(-1e6, rel=1e-2)  # before the ReLU wrote over it
    assert [layer.gradient for layer in report.layers] == [0, 0]


def test_units_of_a_linear_layer_stand_last() -> None:
    """On N×T×C, of the C = 2 units one is dead, though each of the T places has a number above 0."""
    linear = nn.Linear(3, 2)
    nn.init.zeros_(linear.weight)
    linear.bias = nn.Parameter(torch.tensor([-1.0, 1.0]))
    (found,) = gradients(Mean(nn.Flatten(2), linear, nn.ReLU()), torch.ones(2, 4, 1, 3), torch.zeros(2)).rectifiers
    assert (found.dead, found.zero) == (0.5, 0.5)


def test_units_of_maps_that_a_linear_layer_gave_are_channels() -> None:
    """Of two channels of 2×2 one is dead, and no column is."""
    linear = nn.Linear(3, 8)
    nn.init.zeros_(linear.weight)
    linear.bias = nn.Parameter(torch.tensor([-1.0] * 4 + [1.0] * 4))
    maps = Mean(nn.Flatten(), linear, nn.Unflatten(1, (2, 2, 2)), nn.ReLU())
    (found,) = gradients(maps, torch.ones(2, 3, 1, 1), torch.zeros(2)).rectifiers
    assert (found.dead, found.zero) == (0.5, 0.5)


def test_a_relu_belongs_to_the_layer_before_it() -> None:
    report = gradients(*made("resnet20"))
    before = [report.layers[rectifier.layer or 0].path for rectifier in report.rectifiers[:4]]
    assert before == ["norm1", "conv2_x.0.norm1", "conv2_x.0.norm2", "conv2_x.1.norm1"]
    assert gradients(Mean(nn.ReLU(), pointwise(1.0)), torch.ones(1, 1, 1, 1), torch.zeros(1)).rectifiers[0].layer is None


# ── Held to autograd ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_weights_as_by_autograd(name: str) -> None:
    module, x, y = made(name)
    report = gradients(module.eval(), x, y)
    oracle = copy.deepcopy(module).train()
    loss = loss_of(oracle, x, y)
    loss.backward()
    assert report.loss == pytest.approx(loss.item(), rel=1e-5)
    assert sum(layer.parameters for layer in report.layers) == sum(p.numel() for p in module.parameters())
    assert {layer.path for layer in report.layers} == {path for path, part in oracle.named_modules() if part._parameters}
    for layer in report.layers:
        part: Any = oracle.get_submodule(layer.path)
        vectors = [part.weight] if layer.kind != "batch_norm" else [part.weight, part.bias]
        assert layer.gradient == pytest.approx(torch.cat([p.grad.flatten() for p in vectors]).norm().item(), rel=1e-4), layer.path
        assert layer.weight == pytest.approx(torch.cat([p.detach().flatten() for p in vectors]).norm().item(), rel=1e-5)
        assert layer.ratio == pytest.approx(layer.gradient / layer.weight)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_of_blocks_as_by_autograd(name: str) -> None:
    module, x, y = made(name)
    oracle, inputs = copy.deepcopy(module).train(), {}
    for path, part in oracle.named_modules():

        def keep(_: nn.Module, args: tuple[Tensor, ...], path: str = path) -> None:
            if args[0].requires_grad:
                args[0].retain_grad()
            inputs[path] = args[0]

        part.register_forward_pre_hook(keep)
    loss_of(oracle, x.clone().requires_grad_(), y).backward()
    blocks = gradients(module, x, y).blocks
    assert len(blocks) >= 2
    for block in blocks:
        gradient = inputs[block.path].grad
        assert gradient is not None and block.gradient == pytest.approx(gradient.norm().item(), rel=1e-4), block.path


def test_blocks_are_the_units() -> None:
    units = [f"conv{stage}_x.{unit}" for stage in (2, 3, 4) for unit in range(2)]
    for name in ("plain20", "resnet20", "resnet20@b"):
        report = gradients(*made(name))
        assert [block.path for block in report.blocks] == units
        assert [block.path for block in report.residual_blocks] == ([] if name == "plain20" else units)
    assert [block.path for block in gradients(*made("lecture_inception")).blocks] == ["incep1", "incep2"]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_every_shortcut_of_the_paper_is_seen(shortcut: str) -> None:
    torch.manual_seed(0)
    report = gradients(etude.build("ablation_resnet110", depth=8, shortcut=shortcut), *batch((3, 32, 32)))
    assert len(report.residual_blocks) == 3
    layered = shortcut in ("conv", "exclusive_gating", "shortcut_only_gating")
    assert [block.projection for block in report.residual_blocks] == [layered] * 3
    assert all(block.shortcut + block.branch >= 1 - 1e-6 for block in report.residual_blocks)


class Cubed(nn.Module):
    """s = P(x) + F(x) in float64, its loss the mean of s³."""

    def __init__(self) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(2, 2, 1)
        self.conv1, self.conv2 = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)
        self.double()

    def branch(self, x: Tensor) -> Tensor:
        return self.conv2(torch.tanh(self.conv1(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return (self(x) ** 3).mean()


def finite_difference(function: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-5) -> Tensor:
    """The gradient of a scalar function, number by number."""
    steps = step * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    with torch.no_grad():
        return torch.stack([(function(x + h) - function(x - h)) / (2 * step) for h in steps]).view_as(x)


def test_both_paths_as_by_finite_differences() -> None:
    torch.manual_seed(0)
    module, x = Cubed(), torch.randn(2, 2, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        shortcut, branch = module.shortcut(x), module.branch(x)
    g = finite_difference(lambda s: (s**3).mean(), shortcut + branch)
    back_shortcut = finite_difference(lambda x: (g * module.shortcut(x)).sum(), x)
    back_branch = finite_difference(lambda x: (g * module.branch(x)).sum(), x)
    whole, back = (shortcut + branch).norm(), (back_shortcut + back_branch).norm()
    expected = [shortcut.norm() / whole, branch.norm() / whole, back_shortcut.norm() / back, back_branch.norm() / back, back]
    (block,) = gradients(module, x, torch.zeros(2)).residual_blocks
    assert dataclasses.astuple(block)[2:] == pytest.approx([value.item() for value in expected], rel=1e-6)
    assert block.gradient == pytest.approx(finite_difference(lambda x: module.loss(x, x), x).norm().item(), rel=1e-6)


# ── In whatever style ────────────────────────────────────────────────────────────────────────────────────────────────


class InModules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(x + 0.5 * self.conv2(F.relu(self.conv1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class Functional(InModules):
    """Weights without layers, `alpha`, and a dictionary that comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(self.parameters())
        del self.conv1, self.conv2, self.fc

    def forward(self, x: Tensor) -> Any:
        w1, b1, w2, b2, w3, b3 = self.weights
        branch = torch.conv2d(torch.conv2d(x, w1, b1, padding=1).relu(), w2, b2, padding=1)
        x = torch.relu(torch.add(x, branch, alpha=0.5))
        return {"logits": F.linear(x.mean(dim=(2, 3)), w3, b3)}


class InPlace(InModules):
    """Everything that can be is written over."""

    def forward(self, x: Tensor) -> Any:
        out = self.conv2(F.relu(self.conv1(x), inplace=True))
        out *= 0.5
        out += x
        out = F.relu_(out)
        return self.fc(out.mean(dim=(2, 3)))


class IntoTheShortcut(InModules):
    """The branch is added into a copy of the block's input, which a ReLU then writes over."""

    def forward(self, x: Tensor) -> Any:
        out = x.clone()
        out += 0.5 * self.conv2(F.relu(self.conv1(x)))
        return self.fc(out.relu_().mean(dim=(2, 3)))


@pytest.mark.parametrize("style", [Functional, InPlace, IntoTheShortcut])
def test_every_style_gives_the_same_numbers(style: type[InModules]) -> None:
    torch.manual_seed(0)
    usual, other = InModules(), style()
    for mine, theirs in zip(usual.parameters(), other.parameters(), strict=True):
        theirs.data.copy_(mine)
    x, y = batch((3, 6, 6))
    before = x.clone()
    expected, found = gradients(usual, x, y), gradients(other, x, y)
    assert torch.equal(x, before)
    assert [layer.kind for layer in found.layers] == ["conv", "conv", "linear"]
    for one, two in zip(expected.layers, found.layers, strict=True):
        assert dataclasses.astuple(one)[2:] == pytest.approx(dataclasses.astuple(two)[2:], rel=1e-4)
    assert shares(found)[0] == pytest.approx(shares(expected)[0], rel=1e-4)
    assert found.residual_blocks[0].gradient == pytest.approx(expected.residual_blocks[0].gradient, rel=1e-4)
    assert [(r.layer, r.zero) for r in found.rectifiers] == [(r.layer, r.zero) for r in expected.rectifiers]


class WithHead(InModules):
    """An auxiliary head of one layer, whose loss is added: no residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Any:
        return self.outputs(x)[0]

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv1(x)
        return self.fc(self.conv2(x).mean(dim=(2, 3))), self.head(x.mean(dim=(2, 3)))

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        logits, auxiliary = self.outputs(x)
        return F.cross_entropy(logits, y) + 0.3 * F.cross_entropy(auxiliary, y)


def test_heads_take_part() -> None:
    module, (x, y) = WithHead(), batch((3, 6, 6))
    report = gradients(module, x, y)
    module.loss(x, y).backward()
    found = {layer.path: layer.gradient for layer in report.layers}
    assert module.head.weight.grad is not None and found["head"] == pytest.approx(module.head.weight.grad.norm().item(), rel=1e-5)
    assert module.conv1.weight.grad is not None and found["conv1"] == pytest.approx(module.conv1.weight.grad.norm().item(), rel=1e-5)
    assert not report.residual_blocks


def test_googlenet_with_its_heads() -> None:
    report = gradients(etude.build("googlenet", classes=10), *batch((3, 224, 224), 1))
    assert {"aux1", "aux2"} <= {block.path for block in report.blocks}
    assert all(layer.gradient > 0 for layer in report.layers if layer.path.startswith("aux"))


def test_a_layer_used_twice_stands_once() -> None:
    layer = pointwise(3.0)
    (found,) = gradients(Mean(layer, layer), torch.ones(1, 1, 1, 1), torch.zeros(1)).layers
    assert (found.gradient, found.mean) == (6, 3)  # d(w²)/dw at 3


def test_a_cut_graph_has_no_gradient() -> None:
    class Cut(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach()

    report = gradients(Mean(pointwise(2.0), Cut(), Residual(pointwise(1.0), Cut())), torch.ones(1, 1, 1, 1), torch.zeros(1))
    assert [layer.gradient for layer in report.layers] == [0, 2]
    assert report.residual_blocks == ()
    branch = nn.Sequential(pointwise(1.0), Cut())
    assert shares(gradients(Mean(Residual(branch)), torch.ones(1, 1, 1, 1), torch.zeros(1))) == [(0.5, 0.5, 1, 0)]


# ── Measuring changes nothing ────────────────────────────────────────────────────────────────────────────────────────


def everything(module: nn.Module) -> Any:
    """All that a module is, in a form that can be compared."""
    parts = [(path, part.training, len(part._forward_hooks), len(part._forward_pre_hooks)) for path, part in module.named_modules()]
    tensors = [*module.state_dict().values(), *(p.grad for p in module.parameters() if p.grad is not None)]
    parameters = [(id(p), p.requires_grad, p._version, p.grad is None) for p in module.parameters()]
    return parts, parameters, [tensor.clone().double().flatten().tolist() for tensor in tensors], torch.get_rng_state().tolist()


@pytest.mark.parametrize("options", [{"shortcut": "dropout"}, {"order": "full_preactivation"}])
def test_measuring_leaves_no_trace(options: dict[str, Any]) -> None:
    module, (x, y) = etude.build("ablation_resnet110", depth=8, **options), batch((3, 32, 32))
    loss_of(module, x, y).backward()
    module.eval().get_submodule("conv1").train().requires_grad_(False)
    before, images, output = everything(module), x.clone(), module(x)
    report = gradients(module, x, y)
    assert everything(module) == before and torch.equal(module(x), output)
    assert torch.equal(x, images) and not x.requires_grad
    assert gradients(module, x, y) == report  # the random state too was the same
    with torch.inference_mode():
        assert gradients(module, x.clone(), y.clone()) == report
    assert report.layers[0].gradient > 0  # though frozen


def test_a_network_that_writes_over_its_input() -> None:
    x, y = -torch.ones(1, 1, 1, 1), torch.zeros(1)
    assert gradients(Mean(nn.ReLU(inplace=True), pointwise(1.0)), x, y).rectifiers[0].zero == 1
    assert x.item() == -1


def test_lazy_layers_stay_lazy() -> None:
    module = Mean(nn.LazyConv2d(2, 1))
    assert gradients(module, *batch((3, 4, 4))).layers[0].parameters == 8
    assert isinstance(module.layers[0], nn.LazyConv2d)


# ── What cannot be measured ──────────────────────────────────────────────────────────────────────────────────────────


class AddsIntoWhatReluKeeps(InModules):
    """The lecture's mistake `residual-inplace-add`: the backward pass needs what was written over."""

    def forward(self, x: Tensor) -> Any:
        y = F.relu(self.conv2(x))
        y += x
        return self.fc(y.mean(dim=(2, 3)))


def test_errors_say_what_to_mend() -> None:
    x, y = batch((3, 6, 6))
    with pytest.raises(UsageError, match="N×C×H×W floating-point images and N labels"):
        gradients(InModules(), x, y[:3])
    with pytest.raises(UsageError, match=r"torch\.uint8"):
        gradients(InModules(), x.byte(), y)
    with pytest.raises(DoesNotRun, match=r"AddsIntoWhatReluKeeps cannot be trained on 4×3×6×6.*inplace"):
        gradients(AddsIntoWhatReluKeeps(), x, y)
    with pytest.raises(DoesNotRun, match="InModules cannot be trained on 4×1×6×6"):
        gradients(InModules(), x[:, :1], y)
    hooked, locked = InModules(), InModules()
    vars(locked)["lock"] = threading.Lock()
    hooked.conv1.register_forward_hook(lambda *_: print(hooked))
    with pytest.raises(DoesNotRun, match=r"InModules cannot be copied.*remove its hooks"):
        gradients(hooked, x, y)
    with pytest.raises(DoesNotRun, match=r"InModules cannot be copied.*lock"):
        gradients(locked, x, y)
    with pytest.raises(DoesNotRun, match="compiled"):
        gradients(Mean(torch.compile(nn.Conv2d(3, 1, 1), backend="eager")), x, y)  # type: ignore[arg-type]


# ── Depth ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cells_as_by_autograd() -> None:
    x, y = batch((3, 32, 32))
    state = torch.get_rng_state()
    comparison = depth_comparison((8,), x, y, seeds=(3, 5))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(comparison.cells) == 2 * 2 * len(NETWORKS) - 2 and comparison.images == 4 and "without BN" in comparison.omitted
    assert depth_comparison((8,), x, y, seeds=(3, 5)) == comparison
    for cell in comparison.cells:
        for place, seed in enumerate(comparison.seeds):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                options = {} if cell.norm else {"norm": None}
                model: Any = etude.build(NETWORKS[cell.network], depth=8, **options)
                if cell.start == "default":
                    model.apply(lambda part: part.reset_parameters() if hasattr(part, "reset_parameters") else None)
                F.cross_entropy(model(x), y).backward()
            weights = {path: p.grad.norm().item() for path, p in model.named_parameters() if p.dim() == 4 and p.grad is not None}
            last = "conv4_x.0.residual.conv2.weight" if cell.network == "preactivation" else "conv4_x.0.conv2.weight"
            assert cell.first.values[place] == pytest.approx(weights["conv1.weight"], rel=1e-4)
            assert cell.last.values[place] == pytest.approx(weights[last], rel=1e-4)
        one, two = cell.first.values
        assert cell.first.mean == pytest.approx((one + two) / 2) and cell.first.spread == pytest.approx(abs(one - two) / 2**0.5)


def test_depth_without_norm() -> None:
    """By torch's default a plain network's gradient vanishes and a residual one's stays; by He's the residual one's grows."""
    cells = depth_comparison((8, 20), *batch((3, 32, 32)), seeds=(0,)).cells
    growth: dict[Any, float] = {}
    for shallow, deep in zip(cells[::2], cells[1::2], strict=True):
        assert (shallow.depth, deep.depth, shallow.first.spread) == (8, 20, 0)
        growth[shallow.network, shallow.start, shallow.norm] = deep.first.mean / shallow.first.mean
    assert growth["plain", "default", False] < 1e-3 < 0.1 < growth["residual", "default", False]
    assert growth["plain", "he", False] < growth["residual", "he", False]
    assert growth["plain", "he", True] > growth["residual", "he", True] > 1


def test_depth_comparison_wants_cifar() -> None:
    x, y = batch((3, 32, 32))
    with pytest.raises(UsageError, match="expected N×3×32×32 and N"):
        depth_comparison((8,), x[:, :1], y, seeds=(0,))
    with pytest.raises(UsageError, match="expected at least one of each"):
        depth_comparison((8,), x, y, seeds=())
    with pytest.raises(UsageError, match=r"6n \+ 2"):
        depth_comparison((9,), x, y, seeds=(0,))


def words(svg: str) -> str:
    """The text in a figure, which must be well-formed XML."""
    root: Any = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    return " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))


@pytest.mark.parametrize("name", ["resnet20", "lecture_inception"])
def test_gradient_figure(name: str) -> None:
    report = gradients(*made(name))
    drawn = gradient_figure(report)
    assert drawn == gradient_figure(report)
    text = words(drawn)
    assert "gradient / weights" in text and "dead units" in text and "fc" in text
    assert ("shortcut, gradient" in text) == (name == "resnet20") == ("gradient, BN" in text)


def test_a_figure_of_nothing_and_of_what_is_no_number() -> None:
    report = gradients(Mean(pointwise(0.0), nn.ReLU(), pointwise(0.0)), torch.ones(1, 1, 1, 1), torch.zeros(1))
    assert not any(layer.gradient or layer.weight for layer in report.layers)
    words(gradient_figure(report))
    huge = gradients(Mean(pointwise(1e38), pointwise(1e38)), torch.ones(1, 1, 1, 1), torch.zeros(1))
    assert huge.loss == float("inf")
    words(gradient_figure(huge))


def test_a_figure_has_room_for_long_names() -> None:
    module = Mean()
    module.layers.add_module("a_name_that_does_not_end_" * 6, pointwise(1.0))
    drawn = words(gradient_figure(gradients(module, torch.ones(2, 1, 4, 4), torch.zeros(2))))
    assert "…name_that_does_not_end_" in drawn


def test_depth_figure() -> None:
    comparison = depth_comparison((8, 14), *batch((3, 32, 32), 2), seeds=(0,))
    drawn = depth_figure(comparison)
    assert drawn == depth_figure(comparison)
    text = words(drawn)
    for word in ("plain", "residual", "pre-activation", "without BN", "with BN", "He's", "torch's", "14"):
        assert word in text
    cells = list(comparison.cells)
    nothing = dataclasses.replace(cells[-1], first=dataclasses.replace(cells[-1].first, values=(0.0,), mean=0.0))
    assert words(depth_figure(dataclasses.replace(comparison, cells=(*cells[:-1], nothing)))).split().count("0") > text.split().count("0")


@pytest.mark.parametrize(
    "module", [nn.Identity(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 1), nn.Flatten(0))], ids=["nothing", "squeezed"]
)
def test_what_gives_no_row_of_classes_has_no_gradients_of_a_loss(module: nn.Module) -> None:
    """It is said; and a page of all there is has the rest."""
    subject = Subject("mine", {}, module, etude.graph(module, (1, 8, 8)), (1, 8, 8), "strokes", lambda: module)
    with pytest.raises(EtudeError, match="mine gives no row of classes for an image"):
        network_view(subject, ["gradients"])
    page = text_of(whole_view(subject), 120)
    assert "mine gives no row of classes for an image" in page and "multiply-adds" in page


@pytest.mark.parametrize("name", ["gradients", "receptive_field"])
def test_what_is_asked_of_images_is_said_of_others(name: str) -> None:
    with pytest.raises(UsageError, match="3×100: expected an image, as channels, height and width"):
        etude.look(nn.Sequential(nn.Conv1d(3, 4, 5), nn.Flatten(), nn.Linear(4 * 96, 10)), (3, 100), name)


def test_reports_go_into_json() -> None:
    report = gradients(*made("resnet20"))
    assert json.loads(json.dumps(dataclasses.asdict(report)))["residual_blocks"][0]["path"] == "conv2_x.0"
    comparison = depth_comparison((8,), *batch((3, 32, 32), 2), seeds=(0,))
    assert json.loads(json.dumps(dataclasses.asdict(comparison)))["cells"][0]["first"]["spread"] == 0
