"""The lecture's blocks by hand, what checking leaves as it was, and names that are not there."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import etude
from etude.errors import UsageError
from etude.models import lecture
from etude.verification import exact


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


def test_names_match_patterns() -> None:
    assert set(etude.names("lecture_residual*")) == {"lecture_residual", "lecture_residual_scaled", "lecture_residual_conv"}
    assert etude.names("nothing*") == ()


def test_wrong_names_and_options_suggest_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean lecture_residual"):
        etude.build("lecture_residul")
    with pytest.raises(UsageError, match="no option `clases`; did you mean classes"):
        etude.build("lecture_residual", clases=3)
