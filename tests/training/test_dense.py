"""A dense block in one buffer: the same function, gradients and statistics as it is written, and a fraction of what is kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude import data
from etude.train import dense, engine, loop
from etude.train import recipe as recipes
from etude.train.loop import Learner
from etude.train.run import Run
from tiny import dataset as tiny_dataset

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "basic": ("densenet_40_12", {"depth": 16, "growth_rate": 5}),
    "bottlenecks": ("densenet_bc_100_12", {"depth": 28, "growth_rate": 5}),
    "of ImageNet": ("densenet121", {"layers": (2, 1, 2, 1), "growth_rate": 8}),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    model, options = NETWORKS[name]
    return etude.build(model, **options).to(memory_format=torch.channels_last).double()  # type: ignore[call-overload]


def learned(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Losses, gradients and statistics after two steps forward and back."""
    losses = list[Tensor]()
    for _ in range(2):
        losses.append(F.cross_entropy(model(x), torch.arange(len(x)) % 10))
        losses[-1].backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(model.parameters()))
    return [*losses, *gradients, *(buffer.double() for buffer in model.buffers())]


@pytest.mark.parametrize("cache", [1, 2**20], ids=["an image at a time", "all at once"])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_same_function(name: str, cache: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "CACHE", cache)
    x = torch.randn(5, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    written, buffered = network(name), network(name)
    dense.in_one_buffer(buffered)
    assert any(type(module) is dense.DenseBlock for module in buffered.modules())
    assert list(written.state_dict()) == list(buffered.state_dict())
    for one, other in zip(learned(written, x), learned(buffered, x), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(written.eval()(x), buffered.eval()(x))


@pytest.mark.parametrize("name", ["basic", "bottlenecks"])
def test_less_than_half_is_kept(name: str) -> None:
    x, y = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    learner = Learner(network(name), 0.0)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    as_written = dense.kept(learner, x, y)
    assert as_written > sum(4 * block[-1].norm1.num_features * 8 for block in dense.blocks(learner))  # type: ignore[index]
    dense.in_one_buffer(learner)
    assert dense.kept(learner, x, y) < as_written / 2
    assert all(torch.equal(value, before[key]) for key, value in learner.state_dict().items())


def test_where_it_cannot_be_it_is_as_written() -> None:
    """With dropout, whose numbers would be others, and with normalisations that are not torch's own."""
    for dropout in (0.5, 0.0):
        model = etude.build("densenet_40_12", depth=7, growth_rate=4, dropout=dropout)
        assert len(dense.blocks(model)) == (0 if dropout else 3)
    model.get_submodule("dense_block_2.0.norm1").__class__ = type("Other", (nn.BatchNorm2d,), {})
    dense.in_one_buffer(model)
    assert [type(model.get_submodule(f"dense_block_{number}")) is dense.DenseBlock for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("setting", ["precision=bf16", "model.dropout=0.2"])
def test_nothing_is_said_of_a_buffer_that_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: tiny_dataset())
    monkeypatch.setattr(loop, "free", lambda: 1.0)
    recipe = recipes.load("densenet_40_12(depth=7, growth_rate=4).huang2017", "smoke")
    said: list[str] = []
    engine.fit(recipes.change(recipe, ("steps=1", "batch=20", setting)), run=Run(tmp_path / "run"), say=said.append)
    assert not said and Run(tmp_path / "run").environment()["one_buffer"] is False


def test_a_run_takes_it_where_memory_is_short_and_goes_on_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: tiny_dataset())
    recipe = recipes.load("densenet_40_12(depth=10, growth_rate=4).huang2017", "smoke")
    recipe = recipes.change(recipe, ("steps=4", "batch=20"))
    said: list[str] = []
    as_written, short = Run(tmp_path / "as-written"), Run(tmp_path / "short")
    engine.fit(recipe, run=as_written, say=said.append)
    assert not said and as_written.environment()["one_buffer"] is False
    monkeypatch.setattr(loop, "free", lambda: 1.0)
    engine.fit(recipe, run=short, say=said.append)
    assert said[-1].startswith("dense blocks train in one buffer each: as they are written, a step keeps ")
    assert short.environment()["one_buffer"] is True
    for key in ("test_loss", "train_loss"):
        assert short.metrics()[-1][key] == pytest.approx(as_written.metrics()[-1][key], rel=1e-3)
    monkeypatch.undo()
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: tiny_dataset())
    (short.folder / "result.json").unlink()
    before = short.metrics()
    assert not engine.resume(short).warning and short.metrics() == before and short.environment()["one_buffer"]
