"""Every registered network against its paper, and proof that the checks notice what is wrong."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude import papers
from etude.errors import UsageError
from etude.explain.nodes import Graph
from etude.models import densenet, googlenet, lecture, registry, resnet
from etude.models import identity_mappings as identity
from etude.verification import exact
from etude.verification.facts import steps_of

ROWS = registry.ROWS
COUNTS = [(row, count) for row in ROWS for count in papers.load(row.paper).counts_of(row.name)]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

# How a network of each kind is made small enough to train in a test, with its kind of block kept: options, side of the image
SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "resnet:ResNet": ({"units": (2, 1, 1, 1)}, 64),
    "resnet:CifarResNet": ({"depth": 14}, 32),
    "identity_mappings:CifarIdentityMappings": ({"depth": 20}, 32),
    "identity_mappings:PreActResNet": ({"units": (1, 2, 1, 1)}, 64),
    "densenet:CifarDenseNet": ({"depth": 16}, 32),
    "densenet:DenseNet": ({"layers": (2, 2, 2, 2)}, 64),
}


def small(row: registry.Row) -> tuple[dict[str, Any], tuple[int, int, int]]:
    options, side = SMALL.get(row.target, ({}, row.input[1]))
    return options, (row.input[0], side, side)


def distinct_small_networks() -> list[registry.Row]:
    """One row for each network that is left when depth and size are reduced."""
    found: dict[str, registry.Row] = {}
    for row in ROWS:
        found.setdefault(repr((row.target, sorted({**row.options, **small(row)[0]}.items()))), row)
    return list(found.values())


each_small = pytest.mark.parametrize("row", distinct_small_networks(), ids=lambda row: row.name)


def small_network(row: registry.Row) -> nn.Module:
    """The row's network, made small, without dropout."""
    torch.manual_seed(0)
    options, _ = small(row)
    model = etude.build(row.name, classes=10, **options)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def noise(row: registry.Row, batch: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, *small(row)[1], generator=generator), torch.randint(0, 10, (batch,), generator=generator)


@functools.cache
def measured(name: str) -> Graph:
    return etude.graph(exact.without_weights(name), registry.row(name).input)


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """What training uses: the network's own loss, where it has auxiliary heads."""
    return model.loss(x, y) if hasattr(model, "loss") else F.cross_entropy(model(x), y)  # type: ignore[operator]


@each_row
def test_every_row_resolves(row: registry.Row) -> None:
    assert isinstance(exact.without_weights(row.name), nn.Module)
    paper, network = etude.facts(row.name)
    assert network.id == row.name
    assert network.input == row.input
    assert paper.id == row.paper
    assert bool(row.departures) == (network.kind == "departs"), "a departure is named, and only a departure"
    assert ("@" in row.name) == bool(row.departures)


def test_names_are_unique() -> None:
    assert len(set(etude.names())) == len(ROWS)


@pytest.mark.parametrize(("row", "count"), COUNTS, ids=lambda value: value.id if isinstance(value, papers.Count) else "")
def test_counts_are_exact_to_the_last_digit(row: registry.Row, count: papers.Count) -> None:
    """Three ways to count: what other people's builds of the network have, the paper's table, and what runs."""
    model = exact.without_weights(row.name, **count.given)
    steps, graph = steps_of(row.name, **count.given), etude.graph(model, row.input) if count.given else measured(row.name)
    assert count.parameters == sum(p.numel() for p in model.parameters()) == sum(step.parameters for step in steps) == graph.parameters
    macs = sum(step.macs for step in steps if not step.side)
    assert macs == graph.macs
    if count.macs is not None:
        assert count.macs == macs
    if count.bare is not None:
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        assert count.bare == count.parameters - sum(p.numel() for norm in norms for p in norm.parameters())


@pytest.mark.parametrize(("row", "count"), COUNTS, ids=lambda value: value.id if isinstance(value, papers.Count) else "")
def test_printed_counts_are_the_exact_ones_rounded(row: registry.Row, count: papers.Count) -> None:
    """To the last digit that is printed; a note says where the paper cut rather than rounded."""
    pairs = [(count.printed_parameters, count.parameters if count.printed_is == "all" else count.bare, 1e6)]
    pairs.append((count.printed_macs, count.macs, 1e9))
    for printed, exact_, unit in pairs:
        if printed is not None:
            assert exact_ is not None
            decimals = 2 if printed < 1e6 and unit == 1e6 and round(printed / 1e4) % 10 else 1
            cut = unit == 1e9 and "would round to" in count.note
            assert round(printed / unit, decimals) in (round(exact_ / unit, decimals), math.floor(exact_ / unit * 10) / 10 if cut else None)


def test_every_network_has_counts() -> None:
    assert {row.name for row, count in COUNTS if not count.given} == set(etude.names())


@each_row
def test_every_operator_is_the_papers(row: registry.Row) -> None:
    for check in exact.compare(steps_of(row.name), measured(row.name)):
        assert check.verdict == "exact", f"{row.name}: {check.path}: {check.differences}"


SHORTCUTS = ("identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating", "conv", "dropout")
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"depth": 20, "shortcut": shortcut}) for name in ("ablation_resnet110", "ablation_resnet164") for shortcut in SHORTCUTS),
    *((name, {"depth": 20, "order": order}) for name in ("ablation_resnet110", "ablation_resnet164") for order in identity.ORDERS),
    ("ablation_resnet110", {"depth": 14, "shortcut": "constant_scaling", "shortcut_scale": 0.0, "residual_scale": 1.0}),
    ("ablation_resnet110", {"depth": 14, "shortcut": "dropout", "dropout": 0.3}),
    *((name, {"shortcut": option}) for name in ("resnet18", "resnet50", "resnet20") for option in ("A", "B", "C")),
    ("resnet20", {"depth": 8, "classes": 100}),
    ("googlenet", {"auxiliary": False, "classes": 10}),
    ("googlenet@torchvision", {"auxiliary": False}),
    *(
        ("densenet_40_12", {"depth": 22, "bottleneck": bottleneck, "compression": theta, "dropout": dropout, "growth_rate": 5})
        for bottleneck in (False, True)
        for theta in (1.0, 0.5, 0.3)
        for dropout in (0.0, 0.2)
    ),
    ("densenet264", {"layers": (1, 2, 3, 4), "growth_rate": 16, "dropout": 0.2}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_every_operator_is_the_papers_whatever_the_options(name: str, options: dict[str, Any]) -> None:
    for check in exact.layers(name, **options):
        assert check.verdict == "exact", f"{name} {options}: {check.path}: {check.differences}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.paper != "lecture"], ids=lambda row: row.name)
def test_stages_have_the_sizes_that_the_table_prints(row: registry.Row) -> None:
    paper, network = etude.facts(row.name)
    graph = measured(row.name)
    stages = paper.tables[network.table].stages
    assert stages
    for stage in stages:
        ran = [node for node in graph.nodes if node.path == stage.place or node.path.startswith(f"{stage.place}.")]
        assert ran, stage.place
        assert ran[-1].shape[-len(stage.output) :] == stage.output, stage.place
        if network.kind == "departs":
            continue  # the sizes are the table's, the cost is not
        if stage.weights is not None:
            assert sum(math.prod(p.shape) for p in weights_of(row, stage.place)) == stage.weights, stage.place
        if stage.macs is not None:
            assert sum(node.macs for node in ran) == stage.macs, stage.place


def weights_of(row: registry.Row, place: str) -> list[nn.Parameter]:
    """The parameters of that stage but for biases."""
    module = exact.without_weights(row.name).get_submodule(place)
    return [parameter for name, parameter in module.named_parameters() if not name.endswith("bias")]


@pytest.mark.parametrize("row", [row for row in ROWS if not row.name.endswith(("1001", "1202"))], ids=lambda row: row.name)
def test_every_parameter_takes_part(row: registry.Row) -> None:
    """At full size but for 1001 and 1202 layers, on meta: autograd reaches every parameter; logits have their shape."""
    model = exact.without_weights(row.name).train()
    with torch.device("meta"):
        x, y = torch.randn(2, *row.input), torch.zeros(2, dtype=torch.int64)
        loss_of(model, x, y).backward()
        assert model(x).shape == (2, 10 if row.input[1] < 224 else 1000)
    assert not [name for name, p in model.named_parameters() if p.grad is None]


@each_small
def test_a_gradient_reaches_every_parameter(row: registry.Row) -> None:
    model, (x, y) = small_network(row).train(), noise(row, 8)
    loss_of(model, x, y).backward()
    cold = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not cold, f"{row.name}: no gradient reaches {cold}"


@each_small
def test_ten_steps_lower_the_loss(row: registry.Row) -> None:
    model, (x, y) = small_network(row).train(), noise(row, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if row.paper != "googlenet" else 0.002, momentum=0.9)
    losses = []
    for _ in range(10):
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@each_small
def test_eval_is_deterministic_and_knows_no_batch(row: registry.Row) -> None:
    model, (x, _) = small_network(row).eval(), noise(row)
    with torch.no_grad():
        whole = model(x)
        assert torch.equal(whole, model(x))
        torch.testing.assert_close(torch.cat([model(image[None]) for image in x]), whole, rtol=1e-3, atol=1e-4)


@each_row
def test_classes_are_an_option(row: registry.Row) -> None:
    with torch.device("meta"):
        assert exact.without_weights(row.name, classes=3)(torch.zeros(2, *row.input)).shape == (2, 3)


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18", "resnet50", "plain18"])
def test_experiments_leave_out_normalisation_and_change_the_input(name: str) -> None:
    model = exact.without_weights(name, norm=None, in_channels=1)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))
    with torch.device("meta"):
        assert model(torch.zeros(1, 1, 32, 32)).dim() == 2
    with pytest.raises(UsageError, match="has no `norm`"):
        steps_of(name, norm=None)


def test_the_identity_form_of_the_ablation_is_the_residual_network() -> None:
    """Same weights, same function: `ablation_resnet110` is He 2015's `resnet110`, `ablation_resnet164` is `resnet164`."""
    x = noise(registry.row("resnet20"), 2)[0].double()
    for one, other, options in (
        ("ablation_resnet110", "resnet110", {"depth": 20}),
        ("ablation_resnet164", "resnet164", {"depth": 20}),
        ("preact_resnet110", "ablation_resnet110", {"depth": 20, "order": "full_preactivation"}),
        ("preact_resnet164", "ablation_resnet164", {"depth": 20, "order": "full_preactivation"}),
    ):
        first = etude.build(one, depth=20).double().train()
        second = etude.build(other, **options).double().train()
        second.load_state_dict(in_order_of_use(second, first))
        torch.testing.assert_close(first(x), second(x), rtol=1e-12, atol=1e-12)


def in_order_of_use(target: nn.Module, source: nn.Module) -> dict[str, Tensor]:
    """The state of `target` filled from `source`, whose weight layers run in the same order and are named otherwise."""
    x, used = torch.randn(1, 3, 32, 32, dtype=torch.float64), {}
    for network in (target, source):
        order: list[tuple[str, nn.Module]] = []
        handles = [
            module.register_forward_hook(lambda module, *_, name=name, order=order: order.append((name, module)))
            for name, module in network.named_modules()
            if not list(module.children()) and list(module.parameters())
        ]
        network(x)
        used[network] = order
        for handle in handles:
            handle.remove()
    state: dict[str, Tensor] = {}
    for (name, _), (_, module) in zip(used[target], used[source], strict=True):
        state |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    return state


# ── Properties of the blocks, by hand ────────────────────────────────────────────────────────────────────────────────


def silenced(block: lecture.ResidualBlock) -> lecture.ResidualBlock:
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)  # type: ignore[arg-type]
    return block


def test_with_its_branch_silenced_a_block_shows_its_shortcut() -> None:
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(silenced(lecture.ResidualBlock(4))(x), F.relu(x))
    assert torch.equal(silenced(lecture.ConstantScalingBlock(4))(x), 0.5 * F.relu(x))
    block = lecture.ConvShortcutBlock(4)
    weight, bias = block.conv_shortcut.weight[:, :, 0, 0], block.conv_shortcut.bias
    expected = F.relu(torch.einsum("oc,nchw->nohw", weight, x) + bias[None, :, None, None])  # type: ignore[index]
    torch.testing.assert_close(silenced(block)(x), expected)


def test_constant_scaling_halves_the_sum() -> None:
    block, x = lecture.ConstantScalingBlock(3), torch.randn(2, 3, 6, 6)
    branch = block.conv2(F.relu(block.conv1(x)))
    torch.testing.assert_close(block(x), F.relu(0.5 * (x + branch)))


def test_the_branch_of_the_conv_shortcut_sees_the_input_itself() -> None:
    block, x = lecture.ConvShortcutBlock(3), torch.randn(2, 3, 6, 6)
    branch = block.conv2(F.relu(block.conv1(x)))
    torch.testing.assert_close(block(x), F.relu(block.conv_shortcut(x) + branch))


def test_a_dense_layer_keeps_its_input_bit_for_bit() -> None:
    layer, x = lecture.DenseLayer(5, 3), torch.randn(2, 5, 4, 4)
    out = layer(x)
    assert out.shape == (2, 8, 4, 4)
    assert torch.equal(out[:, :5], x)


def test_an_inception_module_joins_88_channels_and_is_linear_inside() -> None:
    block, x, y = lecture.InceptionA(6).double(), torch.randn(1, 6, 7, 7).double(), torch.randn(1, 6, 7, 7).double()
    zero = block(torch.zeros_like(x))
    assert zero.shape == (1, 88, 7, 7)
    torch.testing.assert_close(block(x + y) - zero, (block(x) - zero) + (block(y) - zero))


# ── The checks notice broken networks ────────────────────────────────────────────────────────────────────────────────


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
        "preact_resnet110",
        lambda: changed("preact_resnet110", lambda m: setattr(m, "activation_last", nn.Identity())),
    ),
    "the last BN of pre-activation removed": (
        "preact_resnet164",
        lambda: changed("preact_resnet164", lambda m: setattr(m, "activation_last", nn.ReLU())),
    ),
    "the first unit's activation on one path only": ("preact_resnet110", lambda: changed("preact_resnet110", activate_on_one_path)),
    "BN on a pre-activated projection": ("preact_resnet164", lambda: changed("preact_resnet164", norm_on_projection)),
    "a projection of the raw input": (
        "preact_resnet164",
        lambda: changed("preact_resnet164", lambda m: setattr(m.conv3_x[0], "projects", False)),
    ),
    "post-activation in place of pre-activation": ("preact_resnet110", lambda: etude.build("resnet110")),
    "g in place of 1 − g on the shortcut": (
        "ablation_resnet110 shortcut=shortcut_only_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join", GatesTheShortcut, shortcut="shortcut_only_gating"),
    ),
    "shortcut-only in place of exclusive gating": (
        "ablation_resnet110 shortcut=exclusive_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join", identity.ShortcutOnlyGating, shortcut="exclusive_gating"),
    ),
    "a tanh gate": (
        "ablation_resnet110 shortcut=exclusive_gating",
        lambda: of_type("ablation_resnet110", "conv3_x.1.join.gate", TanhGate, shortcut="exclusive_gating"),
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
    "max pool in a transition": ("densenet_40_12", lambda: of_type("densenet_40_12", "transition_1", MaxPoolTransition)),
    "no compression": ("densenet_bc_100_12", lambda: etude.build("densenet_bc_100_12", compression=1.0)),
    "no bottleneck": ("densenet_bc_100_12", lambda: etude.build("densenet_bc_100_12", bottleneck=False)),
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


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_network_is_noticed(mutant: str) -> None:
    (name, *words), make = MUTANTS[mutant][0].split(), MUTANTS[mutant][1]
    options: dict[str, Any] = dict(word.split("=") for word in words)
    assert all(check.verdict == "exact" for check in exact.layers(name, **options)), "the network itself passes"
    departs = [check for check in exact.layers(name, make(), **options) if check.verdict == "departs"]
    assert departs, f"{name} with {mutant} passes"


def test_checking_leaves_the_module_as_it_was() -> None:
    model = etude.build("lecture_densenet").train()
    before = copy.deepcopy(model.state_dict())
    exact.layers("lecture_densenet", model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_slides_cost_of_the_reduction() -> None:
    direct, reduced = exact.cost_of_reduction()
    assert (direct.found, reduced.found) == (120_422_400, 12_443_648)
    assert (direct.printed, reduced.printed) == (None, 12_433_648)
    assert direct.verdict == reduced.verdict == "exact"


# ── Names and options ────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_match_patterns() -> None:
    assert set(etude.names("lecture_residual*")) == {"lecture_residual", "lecture_residual_scaled", "lecture_residual_conv"}
    assert etude.names("nothing*") == ()


def test_wrong_names_and_options_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean lecture_residual"):
        etude.build("lecture_residul")
    with pytest.raises(UsageError, match="no option `clases`; did you mean classes"):
        etude.build("lecture_residual", clases=3)
