"""One grammar for what a person points at, and one way from there to a module."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from etude.errors import EtudeError, UsageError
from etude.targets.opening import in_hand, opened
from etude.targets.target import Target
from shell import run

NETS = """
from torch import nn
from shell import run

class Net(nn.Sequential):
    def __init__(self, width, norm=None, text='a'):
        super().__init__(nn.Conv2d(3, width, 1))
        self.given = width, norm, text

    @classmethod
    def wide(cls, width):
        return cls(2 * width)

class Width:
    def __init__(self, width):
        self.width = width

def net_of(given):
    return Net(given.width)

made = nn.ReLU()
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    return tmp_path


def module_of(text: str, /, **options: Any) -> nn.Module:
    with opened(Target.read(text).with_options(options)) as made:
        return made.module


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("resnet20", Target("network", name="resnet20")),
        ("googlenet@torchvision", Target("network", name="googlenet@torchvision")),
        ("resnet20(shortcut=none, depth=8)", Target("network", name="resnet20", options={"shortcut": None, "depth": 8})),
        ("nets.py:Net", Target("file", "nets.py", "Net")),
        ("a (b)/nets.py:Net(4, norm='x:y')", Target("file", "a (b)/nets.py", "Net", (4,), {"norm": "x:y"})),
        ("C:\\x\\nets.py:Net", Target("file", "C:\\x\\nets.py", "Net")),
        ("nets.py", Target("file", "nets.py")),
        ("a b/lecture.ipynb:Net(nn.ReLU)", Target("file", "a b/lecture.ipynb", "Net", ("nn.ReLU",))),
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
        ("checkpoint.pth.tar", "checkpoint.pth.tar is a file of weights: name the code that they belong to"),
        ("resnet20(8)", "without its option's name"),
        ("resnet20(depth=", "expected plain values"),
        ("nets.py:Net(x + 1)", "expected plain values"),
    ],
)
def test_what_names_nothing_is_said_at_once(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace("?", r"\?")):
        Target.read(text)


def test_a_whole_target_means_the_same_elsewhere(nets: Path) -> None:
    assert Target.read("nets.py:Net(4)").whole() == Target("file", str(nets / "nets.py"), "Net", (4,))
    for text in ("resnet20(depth=8)", "torch.nn:ReLU"):
        assert Target.read(text).whole() == Target.read(text)


def test_a_module_may_be_made_from_what_is_made_for_it(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module_of("nets.py:net_of(Width(7))").given == (7, None, "a")
    monkeypatch.syspath_prepend(nets)
    assert module_of("nets:Net.wide(3)").given == (6, None, "a")
    with pytest.raises(UsageError, match=r"Wodth\(7\): there is no `Wodth`; did you mean Width"):
        module_of("nets:net_of(Wodth(7))")
    with pytest.raises(UsageError, match=r"nets has no `Net\.wade`"):
        module_of("nets:Net.wade(3)")


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


def test_a_package_is_imported_without_its_compiled_part(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It describes an operator that was never loaded, as torchvision does beside another build of torch."""
    described = '@torch.library.register_fake("nowhere_at_all::nms")\ndef nms(x):\n    return x\n'
    (nets / "half.py").write_text(f"import torch\nfrom torch import nn\n{described}net = nn.ReLU()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(nets)
    register = torch.library.register_fake
    assert isinstance(module_of("half:net"), nn.ReLU)
    assert isinstance(module_of("half.py:net"), nn.ReLU)
    assert torch.library.register_fake is register
    (nets / "unloaded.py").write_text("raise RuntimeError('operator nowhere::nms does not exist')\n", encoding="utf-8")
    with pytest.raises(EtudeError, match="was built for another build of torch: install the one that belongs to torch 2"):
        module_of("unloaded:net")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys\nsys.exit('no data')\n", r"it ends the program with sys.exit\('no data'\) \(args.py line 2\)"),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--depth', required=True)\nargs = p.parse_args()\n",
            r"it reads the command line, which lacks what it asks for \(args.py line 4\)",
        ),
    ],
)
def test_what_ends_the_program_says_where(nets: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str) -> None:
    monkeypatch.delitem(sys.modules, "args", raising=False)
    (nets / "args.py").write_text(source, encoding="utf-8")
    (nets / "net.py").write_text("from torch import nn\nimport args\nnet = nn.Linear(args.width, 1)\n", encoding="utf-8")
    with pytest.raises(EtudeError, match=message):
        module_of("net.py:net")


def test_a_network_needs_no_weights_to_be_explained() -> None:
    with opened(Target.read("resnet20(depth=8)"), weights=False) as made:
        assert next(made.module.parameters()).is_meta
        assert made.image == (3, 32, 32)


def test_options_may_stand_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    one = run(capsys, "explain", "resnet20(depth=8, shortcut=B)")
    assert one == run(capsys, "explain", "resnet20", "--set", "depth=8", "--set", "shortcut=B")
    assert one[0] == 0


def knows_its_whole() -> nn.Module:
    """A part that has what it is a part of among its parts."""
    whole = nn.Sequential(nn.ReLU())
    whole[0].whole = whole
    return whole


@pytest.mark.parametrize("name", ["modules", "children", "parameters"])
def test_what_hides_a_method_of_torch_is_named(name: str) -> None:
    class Hides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            setattr(self, name, [1, 2])

    in_hand(knows_its_whole())
    with pytest.raises(EtudeError, match=f"Hides keeps something of its own as `{name}`, which hides the method of nn.Module"):
        in_hand(nn.Sequential(Hides()))
