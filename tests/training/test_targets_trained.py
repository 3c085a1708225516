"""A run's folder is a target like any other."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import etude
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.train.run import Run
from shell import run


@pytest.fixture
def folder(trained: Run, tmp_path: Path) -> Path:
    """In a folder whose name has brackets."""
    return Path(shutil.copytree(trained.folder, tmp_path / "runs (old)" / "run"))


def test_a_run_may_be_called_like_anything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "resnet20").mkdir()
    monkeypatch.chdir(folder)
    assert Target.read("resnet20").kind == "network"
    monkeypatch.chdir(folder.parent)
    assert Target.read("run") == Target("run", "run")
    assert Target.read(str(folder)).whole() == Target.read("run").whole() == Target("run", str(folder))


def test_a_run_is_what_it_has_trained(folder: Path) -> None:
    with opened(Target.read(str(folder)), weights=False) as made:
        assert made.image == (1, 28, 28)
        assert same_weights(made.module, etude.load(folder).module)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs: list[tuple[Tensor, Tensor]] = list(zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_a_run_is_explained(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "explain", str(folder), "--cost", "--gradients", "--data", "strokes", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["cost"]["parameters"] == sum(p.numel() for p in etude.load(folder).parameters())
    code, out, err = run(capsys, "explain", "lecture_residual", "--run", str(folder), "--gradients", "--data", "strokes", "--json")
    assert json.loads(out)["gradients"] == found["gradients"]
    code, out, err = run(capsys, "explain", "lecture_residual", "--gradients", "--data", "strokes", "--json")
    assert found["gradients"]["loss"] < json.loads(out)["gradients"]["loss"], "it has learned something"


def test_a_run_is_verified(capsys: pytest.CaptureFixture[str], quick: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    code, out, err = run(capsys, "verify", "run", "--against", "lecture_residual")
    assert (code, err) == (0, "")
    assert out.startswith("run against lecture_residual\n  faithful")


def test_a_run_takes_no_options(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, _, err = run(capsys, "explain", str(folder), "--set", "classes=3")
    assert (code, err) == (2, f"error: {folder} is trained already; it takes no options\n")
    code, _, err = run(capsys, "explain", "lecture_residual", "--set", "classes=3", "--run", str(folder), "--gradients")
    assert code == 2
    assert "has trained lecture_residual, not lecture_residual(classes=3)" in err
    code, _, err = run(capsys, "explain", "lecture_inception", "--gradients", "--run", str(folder))
    assert code == 2
    assert "has trained lecture_residual, not lecture_inception" in err
