"""Every registered network against its paper, and proof that the checks notice what is wrong."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.errors import UsageError
from etude.models import lecture, registry
from etude.verify import exact

ROWS = registry.ROWS
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def noise(row: registry.Row, batch: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, *row.input, generator=generator), torch.randint(0, 10, (batch,), generator=generator)


@each_row
def test_every_row_resolves(row: registry.Row) -> None:
    assert isinstance(etude.build(row.name), nn.Module)
    paper, network = etude.facts(row.name)
    assert network.id == row.network
    assert network.input == row.input
    assert paper.id == row.paper


def test_names_are_unique() -> None:
    assert len(set(etude.names())) == len(ROWS)


@each_row
def test_parameters_are_the_papers(row: registry.Row) -> None:
    check = exact.parameters(row.name)
    assert check.verdict == "exact", f"{row.name}: {check.found:,} parameters, expected {check.expected:,} ({check.at})"


@each_row
def test_every_operator_is_the_papers(row: registry.Row) -> None:
    for check in exact.layers(row.name):
        assert check.verdict == "exact", f"{row.name}: {check.path}: {check.differences}"


@each_row
def test_one_step_reaches_every_parameter(row: registry.Row) -> None:
    torch.manual_seed(0)
    model, (x, y) = etude.build(row.name).train(), noise(row, 8)
    F.cross_entropy(model(x), y).backward()
    cold = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not cold, f"{row.name}: no gradient reaches {cold}"


@each_row
def test_ten_steps_lower_the_loss(row: registry.Row) -> None:
    torch.manual_seed(0)
    model, (x, y) = etude.build(row.name).train(), noise(row, 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    losses = []
    for _ in range(10):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@each_row
def test_eval_is_deterministic_and_knows_no_batch(row: registry.Row) -> None:
    model, (x, _) = etude.build(row.name).eval(), noise(row)
    with torch.no_grad():
        whole = model(x)
        assert torch.equal(whole, model(x))
        torch.testing.assert_close(torch.cat([model(image[None]) for image in x]), whole, rtol=1e-4, atol=1e-5)


@each_row
def test_classes_are_an_option(row: registry.Row) -> None:
    x, _ = noise(row, 2)
    assert etude.build(row.name, classes=3)(x).shape == (2, 3)


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


def with_type(name: str, attribute: str, kind: type[nn.Module]) -> nn.Module:
    """The network with one block made another class, its parameters kept."""
    model = etude.build(name)
    model.get_submodule(attribute).__class__ = kind
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
    "max pool for average pool": ("lecture_inception", lambda: with_type("lecture_inception", "incep1", MaxPoolInception)),
    "average pool forgotten": ("lecture_inception", lambda: with_type("lecture_inception", "incep2", NoPoolInception)),
    "3×3 in place of the 1×1 reduction": ("lecture_inception", reducer_3x3),
    "ReLU before the addition": ("lecture_residual", lambda: with_type("lecture_residual", "rblock1", ReluBeforeAddition)),
    "conv1 twice": ("lecture_residual", lambda: with_type("lecture_residual", "rblock2", FirstConvolutionTwice)),
    "padding moved from one convolution to the next": ("lecture_residual", moved_padding),
    "scaled on one side": ("lecture_residual_scaled", lambda: with_type("lecture_residual_scaled", "rblock1", ScalesOneSide)),
    "other factors": ("lecture_residual_scaled", lambda: with_type("lecture_residual_scaled", "rblock2", OtherFactors)),
    "the 1×1 convolution feeds the branch too": (
        "lecture_residual_conv",
        lambda: with_type("lecture_residual_conv", "rblock1", ShortcutFeedsBranch),
    ),
    "the original in place of constant scaling": ("lecture_residual_scaled", lambda: etude.build("lecture_residual")),
    "a bias dropped": ("lecture_residual_conv", without_bias),
    "Conv before ReLU in a dense layer": ("lecture_densenet", lambda: with_type("lecture_densenet", "dense_block_2.1", ConvBnRelu)),
    "another growth rate": ("lecture_densenet", lambda: etude.build("lecture_densenet", growth_rate=12)),
    "a layer less": ("lecture_densenet", lambda: etude.build("lecture_densenet", num_layers=2)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_network_is_noticed(mutant: str) -> None:
    name, make = MUTANTS[mutant]
    broken = make()
    departs = [check for check in exact.layers(name, broken) if check.verdict == "departs"]
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
