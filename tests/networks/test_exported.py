"""Every network exports to ONNX and torch.export, for any number of images, and computes the same there."""

import copy
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

import etude
from etude.errors import EtudeError
from etude.export import formats
from etude.export.card import Card, settle
from etude.export.compare import LIMIT, Answer, compared, difference
from etude.export.engines import made
from etude.export.formats import export, onnx_bytes, onnx_session, program
from etude.models import registry
from etude.models.googlenet import GoogLeNet, max_pool
from etude.models.network import Network
from etude.train.batch_norm import synchronise
from etude.train.folding import fold
from etude.train.trained import TrainedNetwork
from reduced import image, small

Part = TypeVar("Part", bound=nn.Module)

# which have between them every piece that there is: zeros and every second pixel, gates, concatenations, pools
FEW: dict[str, dict[str, Any]] = {
    "resnet20": {"depth": 8},
    "ablation_resnet110": {"depth": 8, "shortcut": "exclusive_gating"},
    "densenet_bc_100_12": {"depth": 10},
}


class Few(nn.Module):
    """All of them side by side, and what only the published GoogLeNet has: local response normalisation, pools that reach over the edge."""

    def __init__(self) -> None:
        super().__init__()
        self.networks = nn.ModuleDict({name.replace("_", " "): etude.build(name, classes=10, **options) for name, options in FEW.items()})
        self.googlenet = GoogLeNet(auxiliary=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(network(x) for network in self.networks.values()), self.beginning(x).mean((2, 3))[:, :10]], 1)

    def beginning(self, x: Tensor) -> Tensor:
        network = self.googlenet
        x = network.conv2(network.conv2_reduce(network.local_response_norm(max_pool(network.conv1(x)))))
        return network.inception_3a(max_pool(x))


def with_statistics(module: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """In eval mode, with the statistics of random images."""
    settle(module, torch.randn(4, *shape))
    return module.eval()


@torch.no_grad()
def hold(module: nn.Module, shape: tuple[int, int, int]) -> None:
    """Torch's graph of it, ONNX Runtime with its ONNX file, and itself with normalisations folded, against the module; each ten logits."""
    images = torch.rand(3, *shape)
    wanted, before = module(images), {key: value.clone() for key, value in module.state_dict().items()}
    exported = program(module, shape)
    session = onnx_session(onnx_bytes(exported, {}))
    answers: dict[str, Answer] = {
        "torch.export": exported.module(),
        "ONNX": lambda images: torch.from_numpy(session.run(None, {formats.INPUT: images.numpy()})[0]),
        "folded": made("folded", module, images),
    }
    for what, answer in answers.items():
        for found, expected in zip(answer(images).split(10, 1), wanted.split(10, 1), strict=True):
            assert difference(found, expected) <= LIMIT, what
        assert difference(answer(images[:1]), wanted[:1]) <= LIMIT, f"{what}, of one image"
    after = module.state_dict()
    assert all(torch.equal(before[key], after[key]) and before[key].stride() == after[key].stride() for key in before)


def test_every_piece_exports_and_folds_and_agrees() -> None:
    torch.manual_seed(0)
    hold(with_statistics(Few(), (3, 32, 32)), (3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names())
def test_every_network_exports_and_folds_and_agrees(name: str) -> None:
    torch.manual_seed(0)
    hold(with_statistics(etude.build(name, classes=10, **small(name)), image(name)), image(name))


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def epsilon(module: nn.Module) -> None:
    middle(module, nn.BatchNorm2d).eps *= 100


def of_the_batch(module: nn.Module) -> None:
    middle(module, nn.BatchNorm2d).train()


def swapped(module: nn.Module) -> None:
    weight = middle(module, nn.Conv2d).weight
    weight.data[[0, 1]] = weight.data[[1, 0]]


def edges(module: nn.Module) -> None:
    middle(module, nn.Conv2d).padding_mode = "reflect"


def pool(module: nn.Module) -> None:
    """Of the same shape, a pixel further."""
    pool = middle(module, nn.MaxPool2d)
    pool.padding, pool.ceil_mode = 0, True


def rectified(module: nn.Module) -> None:
    middle(module, nn.Linear).register_forward_hook(lambda _module, _images, logits: logits.relu())


def middle(module: nn.Module, kind: type[Part]) -> Part:
    parts = [part for part in module.modules() if isinstance(part, kind)]
    return parts[len(parts) // 2]


@pytest.mark.parametrize(("name", "depth", "rounds"), [("resnet20", 8, False), ("plain20", 50, True)])
def test_what_computes_something_else_is_refused_and_what_only_rounds_is_not(name: str, depth: int, rounds: bool) -> None:
    """Also where fifty layers without shortcuts make more of a rounding than the limit."""
    torch.manual_seed(0)
    module = with_statistics(nn.Sequential(nn.MaxPool2d(3, 2, 1), etude.build(name, depth=depth)), (3, 32, 32))
    images = [torch.rand(2, 3, 32, 32)]
    done = compared(module, fold(module), "folded", images, "images")
    assert (done.difference > LIMIT, done.rounding is not None) == (rounds, rounds)
    for plant in (epsilon, of_the_batch, swapped, edges, pool, rectified):
        wrong = copy.deepcopy(module)
        plant(wrong)
        with pytest.raises(EtudeError, match="computes something else"):
            compared(module, wrong, plant.__name__, images, "images")


def test_where_float32_tells_nothing_nothing_is_called_the_same() -> None:
    """Of what is left of large numbers when they are taken off again."""

    class Rest(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) + 1e6 - 1e6

    module = Rest()
    with pytest.raises(EtudeError, match=r"^float32 tells nothing of this: "):
        compared(module, lambda images: module(images) + 1 / 8, "this", [torch.rand(4, 1, 8, 8)], "images")


def test_a_normalisation_behind_a_convolution_is_folded_and_no_other() -> None:
    network = etude.build("preact_resnet110", depth=8).eval()
    left = [path for path, module in fold(network).named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["conv3_x.0.before.bn", "conv4_x.0.before.bn", "activation_last.bn"], "behind an addition"


def test_a_mean_image_goes_into_the_graph_and_comes_back_from_the_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network("resnet20", {"depth": 8})
    mean = torch.rand(3, 32, 32).tolist()
    trained = TrainedNetwork(network, network.build(), tuple("abcdefghij"), mean, [0.25, 0.0, 0.5]).eval()
    done = export(Card("net", trained, "", normalises=True), "pt2", tmp_path / "net.pt2")
    assert done.compared.difference <= LIMIT
    export(Card("net", trained, ""), "safetensors", tmp_path / "net.safetensors")
    again = etude.load(tmp_path / "net.safetensors")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(images), trained(images))
    assert again.classes == trained.classes


def test_what_is_folded_leaves_the_network_as_it_is_whoever_derives_from_a_batch_norm() -> None:
    torch.manual_seed(0)
    network = with_statistics(etude.build("resnet20", depth=8), (3, 32, 32)).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.randn(2, 3, 32, 32)
    wanted = network(x)
    synchronise(network, lambda total: total)
    light = fold(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in light.modules())
    torch.testing.assert_close(light(x), wanted)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    torch.testing.assert_close(network(x), wanted)
