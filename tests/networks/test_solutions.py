"""Solutions are what the papers say: networks made of them are held to the papers' tables, blocks to the papers' formulas."""

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.models import lecture
from etude.practice.exercises import exercise
from etude.verification.judge import verify
from reduced import image


def solution(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"solution_{name}", exercise(name).solution)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_parts(network: nn.Module, **parts: nn.Module) -> nn.Module:
    """The network with other modules in some places; two underscores stand for a point."""
    for place, part in parts.items():
        parent, _, name = place.replace("__", ".").rpartition(".")
        setattr(network.get_submodule(parent), name, part)
    return network


def with_inception(name: str) -> nn.Module:
    module = solution(name).InceptionA
    return with_parts(lecture.LectureInception(), incep1=module(10), incep2=module(20))


def with_bottlenecks() -> nn.Module:
    block = solution("bottleneck").Bottleneck
    network = etude.build("resnet50", units=(2, 1, 1, 1))
    return with_parts(network, conv2_x__0=block(64, 64, 1), conv2_x__1=block(256, 64, 1), conv3_x__0=block(256, 128, 2))


def with_downsampling(option: str) -> nn.Module:
    block = solution("downsampling_block").DownsamplingBlock
    network = etude.build("resnet20", shortcut=option, depth=14)
    return with_parts(network, conv3_x__0=block(16, 32, option), conv4_x__0=block(32, 64, option))


def with_preactivation() -> nn.Module:
    block = solution("preactivation").PreActBlock
    network = etude.build("preact_resnet110", depth=14)
    return with_parts(network, conv2_x__1=block(16), conv3_x__1=block(32), conv4_x__1=block(64))


def with_googlenet_parts() -> nn.Module:
    inception, head = solution("googlenet_inception").Inception, solution("auxiliary_head").AuxiliaryHead
    network = etude.build("googlenet", classes=10)
    return with_parts(
        network,
        inception_3a=inception(192, 64, 96, 128, 16, 32, 32),
        inception_5b=inception(832, 384, 192, 384, 48, 128, 128),
        aux1=head(512, 10),
        aux2=head(528, 10),
    )


def with_dense_parts() -> nn.Module:
    block, transition = solution("dense_block").DenseBlock, solution("transition").Transition
    network = etude.build("densenet_40_12", depth=13, growth_rate=6)
    return with_parts(network, dense_block_1=block(3, 16, 6), transition_1=transition(34, 34), dense_block_2=block(3, 34, 6))


def with_dense_layers() -> nn.Module:
    layer = solution("dense_layer").DenseLayer

    class Joined(nn.Module):
        def __init__(self, in_channels: int) -> None:
            super().__init__()
            self.layer = layer(in_channels, 4)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x, self.layer(x)], dim=1)

    return with_parts(etude.build("densenet_40_12", depth=10, growth_rate=4), dense_block_1__0=Joined(16), dense_block_1__1=Joined(20))


HELD: dict[str, tuple[Callable[[], nn.Module], str, dict[str, Any]]] = {
    "inception_a": (lambda: with_inception("inception_a"), "lecture_inception", {}),
    "refactor": (lambda: with_inception("refactor"), "lecture_inception", {}),
    "lecture_inception": (lambda: solution("lecture_inception").LectureInception(), "lecture_inception", {}),
    "residual_block": (lambda: lecture.LectureResidual(block=solution("residual_block").ResidualBlock), "lecture_residual", {}),
    "lecture_residual": (lambda: solution("lecture_residual").LectureResidual(), "lecture_residual", {}),
    "constant_scaling": (
        lambda: lecture.LectureResidual(block=solution("constant_scaling").ConstantScalingBlock),
        "lecture_residual_scaled",
        {},
    ),
    "conv_shortcut": (lambda: lecture.LectureResidual(block=solution("conv_shortcut").ConvShortcutBlock), "lecture_residual_conv", {}),
    "preactivation": (with_preactivation, "preact_resnet110", {"depth": 14}),
    "downsampling_block A": (lambda: with_downsampling("A"), "resnet20", {"depth": 14}),
    "downsampling_block B": (lambda: with_downsampling("B"), "resnet20", {"depth": 14, "shortcut": "B"}),
    "bottleneck": (with_bottlenecks, "resnet50", {"units": (2, 1, 1, 1)}),
    "googlenet_inception auxiliary_head": (with_googlenet_parts, "googlenet", {"classes": 10}),
    "dense_layer": (with_dense_layers, "densenet_40_12", {"depth": 10, "growth_rate": 4}),
    "dense_block transition": (with_dense_parts, "densenet_40_12", {"depth": 13, "growth_rate": 6}),
    "densenet": (lambda: solution("densenet").densenet(13, 6), "densenet_40_12", {"depth": 13, "growth_rate": 6}),
}


@pytest.mark.parametrize("held", HELD)
def test_a_solution_is_what_the_papers_table_says(held: str) -> None:
    make, against, options = HELD[held]
    report = verify(make(), against, input_shape=image(against), **options)
    assert (report.verdict, report.choices) == ("faithful", ()), report.sentence


def fx(block: Any, x: Tensor) -> Tensor:
    """F(x) of Fig. 2: two 3×3 convolutions, a ReLU between."""
    inner = F.relu(F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1))
    return F.conv2d(inner, block.conv2.weight, block.conv2.bias, padding=1)


def test_the_gates_and_the_dropout_are_the_formulas_of_the_paper() -> None:
    """Identity Mappings, section 3.1 and Fig. 2; no table here has these blocks without BN."""
    x = torch.randn(2, 3, 5, 4)
    exclusive, shortcut_only = (
        solution("exclusive_gating").ExclusiveGatingBlock(3, -1.5),
        solution("shortcut_only_gating").ShortcutOnlyGatingBlock(3, -1.5),
    )
    for block in (exclusive, shortcut_only):
        assert torch.equal(block.gate.bias, torch.full((3,), -1.5))
        nn.init.normal_(block.gate.bias)
    gate = torch.sigmoid(torch.einsum("oc,nchw->nohw", exclusive.gate.weight[..., 0, 0], x) + exclusive.gate.bias[:, None, None])
    assert torch.allclose(exclusive(x), F.relu((1 - gate) * x + gate * fx(exclusive, x)), atol=1e-6)
    gate = torch.sigmoid(torch.einsum("oc,nchw->nohw", shortcut_only.gate.weight[..., 0, 0], x) + shortcut_only.gate.bias[:, None, None])
    assert torch.allclose(shortcut_only(x), F.relu((1 - gate) * x + fx(shortcut_only, x)), atol=1e-6)
    dropped = solution("dropout_shortcut").DropoutShortcutBlock(3, 0.2)
    torch.manual_seed(1)
    out = dropped(x)
    torch.manual_seed(1)
    assert torch.allclose(out, F.relu(F.dropout(x, 0.2) + fx(dropped, x)), atol=1e-6)
    assert torch.allclose(dropped.eval()(x), F.relu(x + fx(dropped, x)), atol=1e-6)


def test_the_small_solutions_are_what_torch_does() -> None:
    block, x = solution("conv1x1").Conv1x1(3, 4), torch.randn(2, 3, 5, 6)
    weight, bias = sorted(block.parameters(), key=lambda p: -p.numel())
    assert torch.allclose(block(x), F.conv2d(x, weight.reshape(4, 3, 1, 1), bias.flatten()), atol=1e-6)
    for kernel, dilation in ((1, 1), (3, 1), (5, 2), (7, 3)):
        padding = solution("same_padding").same_padding(kernel, dilation)
        assert F.conv2d(torch.zeros(1, 1, 30, 31), torch.zeros(1, 1, kernel, kernel), padding=padding, dilation=dilation).shape[2:] == (
            30,
            31,
        )
    macs = solution("conv_cost").conv_macs
    assert (macs(192, 32, 5, 28, 28), macs(192, 16, 1, 28, 28) + macs(16, 32, 5, 28, 28)) == (120_422_400, 12_443_648)
    network = lecture.LectureInception()
    for height, width in ((28, 28), (40, 33)):
        network.fc = nn.Identity()  # type: ignore[assignment]
        assert solution("flatten_size").flatten_size(height, width) == network(torch.zeros(1, 1, height, width)).shape[1]


def test_the_training_loop_is_gradient_descent_on_the_cross_entropy() -> None:
    """On softmax regression the gradient is known: (p − y)ᵀx / N."""
    torch.manual_seed(0)
    x, y = torch.randn(7, 3), torch.randint(4, (7,))
    model, batches = nn.Linear(3, 4), [(x[:4], y[:4]), (x[4:], y[4:])]
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    for images, labels in batches:
        wrong = torch.softmax(images @ weight.T + bias, dim=1) - F.one_hot(labels, 4)
        weight, bias = weight - 0.5 * wrong.T @ images / len(images), bias - 0.5 * wrong.mean(dim=0)
    functions = solution("train_loop")
    functions.train_one_epoch(model, batches, torch.optim.SGD(model.parameters(), lr=0.5))
    assert torch.allclose(model.weight, weight, atol=1e-6)
    assert torch.allclose(model.bias, bias, atol=1e-6)
    right = sum(int((x[i] @ weight.T + bias).argmax() == y[i]) for i in range(7))
    assert functions.accuracy(model, batches) == pytest.approx(right / 7)
