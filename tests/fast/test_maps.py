"""Where branches meet: what comes out is what went in, added or joined, whatever the network."""

import pytest
import torch

import etude
from etude.explain.maps import Junction, junctions

NETWORKS = {
    "lecture_inception": ["concat"] * 2,
    "lecture_residual": ["add"] * 2,
    "lecture_residual_scaled": ["add"] * 2,
    "lecture_residual_conv": ["add"] * 2,
    "lecture_densenet": ["concat"] * 9,
    "resnet20": ["add"] * 9,
}


@pytest.fixture(params=NETWORKS)
def met(request: pytest.FixtureRequest) -> tuple[str, torch.Tensor, torch.Tensor, tuple[Junction, ...]]:
    torch.manual_seed(0)
    module = etude.build(request.param).eval()
    images = torch.rand(2, *((3, 32, 32) if request.param == "resnet20" else (1, 28, 28)))
    return request.param, module(images), *junctions(module, images)


def test_what_meets_makes_what_comes_out(met: tuple[str, torch.Tensor, torch.Tensor, tuple[Junction, ...]]) -> None:
    name, alone, watched, found = met
    torch.testing.assert_close(watched, alone)
    assert [one.kind for one in found] == NETWORKS[name]
    for one in found:
        maps = [branch.maps for branch in one.branches]
        torch.testing.assert_close(one.maps, sum(maps[1:], maps[0]) if one.kind == "add" else torch.cat(maps, 1))
        if one.kind == "concat":
            assert sum(branch.share**2 for branch in one.branches) == pytest.approx(1)


@pytest.mark.parametrize(("name", "layers"), [("lecture_residual", [0, 2]), ("lecture_residual_conv", [1, 2])])
def test_the_shortcut_has_fewer_layers(name: str, layers: list[int]) -> None:
    _, found = junctions(etude.build(name).eval(), torch.rand(1, 1, 28, 28))
    assert [[branch.layers for branch in one.branches] for one in found] == [layers] * 2


def test_the_branches_of_an_inception_module_have_their_names() -> None:
    _, found = junctions(etude.build("lecture_inception").eval(), torch.rand(1, 1, 28, 28))
    assert [branch.path for branch in found[0].branches] == [
        f"incep1.{name}" for name in ("branch1x1", "branch5x5_2", "branch3x3_3", "branch_pool")
    ]


def test_a_sum_written_in_place_keeps_what_went_in() -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.conv(x)
            out += x
            return out.relu_()

    block, images = Block(), torch.rand(1, 3, 4, 4)
    _, (one,) = junctions(block, images)
    torch.testing.assert_close(one.branches[0].maps, block.conv(images))
    torch.testing.assert_close(one.maps, block.conv(images) + images)
