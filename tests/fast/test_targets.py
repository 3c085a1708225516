"""One grammar for what a person points at, and one way from there to a module."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import etude
from etude.cli import app
from etude.errors import EtudeError, UsageError
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.run import Run

NETS = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width, norm=None, text='a'):
        super().__init__(nn.Conv2d(3, width, 1))
        self.given = width, norm, text

made = nn.ReLU()
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a few strokes, in a folder whose name has brackets."""
    folder = tmp_path_factory.mktemp("runs (old)") / "run"
    engine.fit(recipes.load("lecture_residual.lecture", "smoke").on("strokes"), run=Run(folder))
    return folder


def module_of(text: str, /, **options: Any) -> nn.Module:
    with opened(Target.read(text).with_options(options)) as (module, _):
        return module


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("resnet20", Target("network", name="resnet20")),
        ("googlenet@torchvision", Target("network", name="googlenet@torchvision")),
        ("resnet20(shortcut=none, depth=8)", Target("network", name="resnet20", options={"shortcut": None, "depth": 8})),
        ("nets.py:Net", Target("file", "nets.py", "Net")),
        ("a (b)/nets.py:Net(4, norm='x:y')", Target("file", "a (b)/nets.py", "Net", (4,), {"norm": "x:y"})),
        ("C:\\x\\nets.py:Net", Target("file", "C:\\x\\nets.py", "Net")),
        ("torchvision.models:resnet50", Target("module", "torchvision.models", "resnet50")),
        ("torch.nn:Conv2d(3, 4, bias=false)", Target("module", "torch.nn", "Conv2d", (3, 4), {"bias": False})),
        ("runs/nowhere", Target("run", "runs/nowhere")),
    ],
)
def test_a_target_is_read_and_written(text: str, target: Target) -> None:
    assert Target.read(text) == target
    assert Target.read(str(target)) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnt20", "did you mean resnet20"),
        ("resnet20(8)", "without its option's name"),
        ("resnet20(depth=", "expected plain values"),
        ("nets.py", "which class or function? Write nets.py:NAME"),
        ("nets.py:Net(f(x))", "expected plain values"),
    ],
)
def test_what_names_nothing_is_said_at_once(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace("?", r"\?")):
        Target.read(text)


def test_reading_needs_no_torch() -> None:
    code = "import sys; from etude.targets.target import Target; Target.read('resnet20(depth=8)'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_whole_target_means_the_same_elsewhere(nets: Path, run: Path) -> None:
    assert Target.read("nets.py:Net(4)").whole() == Target("file", str(nets / "nets.py"), "Net", (4,))
    assert Target.read(str(run)).whole() == Target("run", str(run))
    for text in ("resnet20(depth=8)", "torch.nn:ReLU"):
        assert Target.read(text).whole() == Target.read(text)


def test_a_folder_may_be_called_like_a_network_and_a_run_like_anything(nets: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nets / "resnet20").mkdir()
    assert Target.read("resnet20").kind == "network"
    monkeypatch.chdir(run.parent)
    assert Target.read("run") == Target("run", "run")


def test_options_come_on_top_of_arguments(nets: Path) -> None:
    assert module_of("nets.py:Net(4)", norm="bn").given == (4, "bn", "a")
    assert module_of("nets.py:Net(width=4, text='c')", text="b").given == (4, None, "b")
    assert module_of("torch.nn:Conv2d(3, 4, kernel_size=1)", kernel_size=5).kernel_size == (5, 5)
    assert module_of("resnet20(depth=8)", classes=7, depth=14).state_dict()["fc.weight"].shape == (7, 64)
    assert sum(name.endswith("conv1.weight") for name in module_of("resnet20(depth=8)", depth=14).state_dict()) == 7


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("nets.py:made", {"x": 1}, UsageError, "nets.py:made is a module already; it takes no options"),
        ("nets.py:made(1)", {}, UsageError, "nets.py:made is a module already; it takes no options"),
        ("nets.py:Net", {"norm": 1}, UsageError, r"nets.py:Net\(norm=1\) needs width; give it as in 'nets.py:Net\(width=…\)'"),
        ("nets.py:Net(4)", {"width": 5}, EtudeError, "multiple values for argument 'width'"),
        ("nets.py:nn", {}, EtudeError, "is a module, expected a class"),
        ("torch.nn:Relu", {}, UsageError, "torch.nn has no `Relu`"),
        ("torch.nowhere:Net", {}, UsageError, "no module `torch.nowhere`"),
        (":Net", {}, EtudeError, "cannot be imported: ValueError"),
        ("./nowhere", {}, EtudeError, "is not the folder of a run"),
    ],
)
def test_what_cannot_be_made_is_said(nets: Path, text: str, options: dict[str, Any], error: type[EtudeError], message: str) -> None:
    with pytest.raises(error, match=message):
        module_of(text, **options)


def test_what_an_import_lacks_is_told_from_what_is_not_there(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nets / "abcdef.py").write_text("import abc_d\n", encoding="utf-8")
    monkeypatch.syspath_prepend(nets)
    with pytest.raises(EtudeError, match="abcdef cannot be imported: ModuleNotFoundError: No module named 'abc_d'") as caught:
        module_of("abcdef:Net")
    assert not isinstance(caught.value, UsageError)


def test_a_network_needs_no_weights_to_be_explained() -> None:
    with opened(Target.read("resnet20(depth=8)"), weights=False) as (module, shape):
        assert next(module.parameters()).is_meta
        assert shape == (3, 32, 32)


def test_a_run_is_what_it_has_trained(run: Path) -> None:
    with opened(Target.read(str(run)), weights=False) as (module, shape):
        assert shape == (1, 28, 28)
        assert same_weights(module, etude.load(run).module)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs: list[tuple[Tensor, Tensor]] = list(zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app.run(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_run_is_explained(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    code, out, err = command(capsys, "explain", str(run), "--cost", "--gradients", "--data", "strokes", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["cost"]["parameters"] == sum(p.numel() for p in etude.load(run).parameters())
    code, out, err = command(capsys, "explain", "lecture_residual", "--run", str(run), "--gradients", "--data", "strokes", "--json")
    assert json.loads(out)["gradients"] == found["gradients"]
    assert found["gradients"]["loss"] < 2, "it has learned something"


def test_a_run_is_verified(capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    code, out, err = command(capsys, "verify", "run", "--against", "lecture_residual")
    assert (code, err) == (0, "")
    assert out.startswith("run against lecture_residual\n  faithful")


def test_a_run_takes_no_options(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    code, _, err = command(capsys, "explain", str(run), "--set", "classes=3")
    assert (code, err) == (2, f"error: {run} is trained already; it takes no options\n")
    code, _, err = command(capsys, "explain", "lecture_residual", "--set", "classes=3", "--run", str(run), "--gradients")
    assert code == 2
    assert "has trained lecture_residual, not lecture_residual(classes=3)" in err


def test_options_may_stand_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    one = command(capsys, "explain", "resnet20(depth=8, shortcut=B)")
    assert one == command(capsys, "explain", "resnet20", "--set", "depth=8", "--set", "shortcut=B")
    assert one[0] == 0
