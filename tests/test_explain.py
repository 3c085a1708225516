"""What `explain` says of a network: held to the paper's table, to sums done by hand, and to a terminal of 100 columns."""

import copy
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.cli import app as cli
from etude.explain.cost import cost, cost_of, peak_of_inference
from etude.explain.graph import DoesNotRun
from etude.explain.outline import Line, outline
from etude.models import registry
from etude.verify.exact import without_weights
from etude.verify.facts import graph_of, steps_of

DEEPEST = {"resnet1202", "resnet1001", "preact_resnet1001"}
NAMES = [name for name in registry.names() if name not in DEEPEST]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


# ── Outline ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_what_ran_reads_like_the_papers_table(name: str) -> None:
    """The outline of the module that ran and the outline of the paper's expanded table say the same, line by line."""
    ran, table = (outline(graph) for graph in (etude.graph(without_weights(name), registry.row(name).input), graph_of(name)))
    lines = [[(line, part.count, part.side) for part in parts for line in part.lines] for parts in (ran, table)]
    assert lines[0] == lines[1]
    assert [line for part in ran if not part.side for line in part.lines][-1].shape == steps_of(name)[-1].shape


def test_an_inception_module_shows_what_it_concatenates() -> None:
    parts = outline(etude.graph(without_weights("googlenet"), (3, 224, 224)))
    module = next(part for part in parts if part.place == "inception_3a")
    assert [(line.role, line.text, line.shape) for line in module.lines] == [
        ("branch", "1×1 conv 64, ReLU", (64, 28, 28)),
        ("branch", "1×1 conv 96, ReLU, 3×3 conv 128, ReLU", (128, 28, 28)),
        ("branch", "1×1 conv 16, ReLU, 5×5 conv 32, ReLU", (32, 28, 28)),
        ("branch", "3×3 max pool, 1×1 conv 32, ReLU", (32, 28, 28)),
        ("join", "concat", (256, 28, 28)),
    ]
    assert [part.place for part in parts if part.side] == ["aux1", "aux2"]


def test_a_shortcut_shows_what_it_adds_and_repeats_are_folded() -> None:
    parts = {part.place: part for part in outline(etude.graph(without_weights("resnet20"), (3, 32, 32)))}
    first, others = parts["conv3_x.0"], parts["conv3_x.1"]
    assert first.lines[0].text == "every 2nd pixel, zero channels"
    assert [line.text for line in others.lines] == ["identity", "3×3 conv 32, BN, ReLU, 3×3 conv 32, BN", "add, ReLU"]
    assert (others.count, others.until) == (2, "conv3_x.2")


def test_a_dense_block_is_folded_while_it_grows() -> None:
    parts = {part.place: part for part in outline(etude.graph(without_weights("densenet264"), (3, 224, 224)))}
    block = parts["dense_block_3.0"]
    assert block.count == 64
    assert block.lines[-1] == Line("join", "concat", (288, 14, 14), (256 + 64 * 32, 14, 14))


class Styles(nn.Module):
    """Two branches in one, written without modules of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.b = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((torch.sigmoid(self.a(x)) * self.b(x), x), 1)


def test_joins_within_a_branch_stand_in_brackets() -> None:
    (part,) = outline(etude.graph(Styles(), (3, 8, 8)))
    assert [line.text for line in part.lines] == ["[1×1 conv 4, sigmoid] · [3×3 conv 4]", "input", "concat"]


def test_features_kept_in_a_list_do_not_explode() -> None:
    """A dense block that joins everything again in each layer has exponentially many ways through it."""

    class Lists(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(40))

        def forward(self, x: Tensor) -> Tensor:
            features = [x]
            for layer in self.layers:
                features.append(layer(torch.cat(features, 1)))
            return torch.cat(features, 1)

    start = time.perf_counter()
    parts = outline(etude.graph(Lists(), (3, 8, 8)))
    assert time.perf_counter() - start < 5
    assert parts[-1].lines[-1].shape == (83, 8, 8)


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 8 * 8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.norm(self.conv(x))).flatten(1))


def test_the_cost_of_a_toy_by_hand() -> None:
    found = cost(Toy(), (3, 8, 8))
    assert found.parameters == 3 * 4 * 9 + 8 + 256 * 10 + 10
    assert found.macs == 3 * 4 * 9 * 64 + 256 * 10
    assert found.flops == 2 * found.macs
    image, maps, statistics = 4 * 3 * 64, 4 * 4 * 64, 4 * 4  # mean and inverse deviation of a batch of two, halved
    assert found.kept == image + maps + statistics + maps  # conv's input, the norm's input, its statistics, ReLU's result
    assert [(stage.place, stage.kept) for stage in found.stages] == [("conv", image + maps + statistics + maps), ("flatten", 0), ("fc", 0)]
    assert found.peak == 2 * maps  # conv's result and the norm's, or the norm's and ReLU's


def test_a_shortcut_keeps_its_input_alive() -> None:
    class Residual(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.sigmoid(torch.relu(x))

    size = 4 * 3 * 64
    assert peak_of_inference(etude.graph(Residual(), (3, 8, 8))) == 3 * size


@pytest.mark.parametrize("name", NAMES)
def test_stages_add_up(name: str) -> None:
    model = without_weights(name)
    found = cost_of(model, etude.graph(model, registry.row(name).input))
    assert sum(stage.parameters for stage in found.stages) == found.parameters
    assert sum(stage.macs for stage in found.stages if not stage.side) == found.macs
    assert sum(stage.kept for stage in found.stages) == found.kept
    assert 0 < found.peak < found.kept


def test_measuring_changes_nothing() -> None:
    model, random = etude.build("resnet20", depth=8).train(), torch.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    cost(model, (3, 32, 32))
    outline(etude.graph(model, (3, 32, 32)))
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_code_that_cannot_run_without_numbers_runs_with_them() -> None:
    class Decides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return F.relu(y) if y.sum() > -1e9 else y

    found = cost(Decides(), (3, 8, 8))
    assert (found.macs, found.parameters) == (3 * 4 * 64, 16)


def test_a_module_that_does_not_run_says_what_it_takes() -> None:
    with pytest.raises(DoesNotRun, match=r"does not take 3×16×16: .*; the smallest square it takes is 29×29"):
        etude.graph(without_weights("densenet121"), (3, 16, 16))
    with pytest.raises(DoesNotRun, match=r"does not take 1×32×32: .*; it takes 28×28"):
        etude.graph(etude.build("lecture_inception"), (1, 32, 32))
    with pytest.raises(DoesNotRun, match="no tensor comes from its input"):
        etude.graph(Nothing(), (3, 8, 8))


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> None:
        return None


# ── On the command line ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", NAMES)
def test_explain_fits_a_terminal(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, "explain", name)
    assert code == 0
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100
    for head in ("output", "parameters", "MACs, millions", "activations, MiB", "FLOPs"):
        assert head in out


@pytest.mark.parametrize("order", ["relu_before_addition", "full_preactivation"])
@pytest.mark.parametrize("name", ["ablation_resnet110", "ablation_resnet164"])
def test_options_are_explained(capsys: pytest.CaptureFixture[str], name: str, order: str) -> None:
    code, out, _ = run(capsys, "explain", name, "--set", f"order={order}", "--set", "depth=20", "--shapes")
    assert code == 0
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100
    assert "MACs" not in out


def test_explain_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "explain", "resnet20", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["cost"]["parameters"], found["cost"]["macs"], found["cost"]["flops"]) == (269_722, 40_551_040, 81_102_080)
    assert found["shapes"][0]["place"] == "conv1"


FILES = {
    "net.py": "from torch import nn\nfrom parts import width\nclass Net(nn.Sequential):\n    def __init__(self, out=width):\n"
    "        super().__init__(nn.Conv2d(3, out, 3), nn.ReLU())\nmade = nn.ReLU()\n",
    "parts.py": "width = 4\n",
    "syntax.py": "def f(:\n",
    "needs.py": "import nowhere_at_all\n",
    "exits.py": "import sys\nsys.exit(3)\n",
    "raises.py": "def make():\n    raise RuntimeError('out of paint')\ndef text():\n    return 'x'\nnumber = 3\n",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_file_of_ones_own(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    code, out, _ = run(capsys, "explain", f"{files / 'net.py'}:Net", "--input", "3x8x8", "--set", "out=6")
    assert code == 0
    assert "3×3 conv 6 pad 0, ReLU" in out
    assert run(capsys, "explain", f"{files / 'net.py'}:made", "--input", "3x8x8")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("resnt50",), 2, "no model `resnt50`; did you mean resnet50"),
        (("resnet20", "--set", "shortct=A"), 2, "resnet20 has no option `shortct`; did you mean shortcut?"),
        (("resnet20", "--set", "shortcut=D"), 2, "shortcut = 'D', expected one of 'A', 'B', 'C', None"),
        (("resnet20", "--set", "depth=21"), 2, "depth = 21, expected 6n + 2"),
        (("resnet20", "--set", "depth=deep"), 2, "resnet20(depth='deep')"),
        (("resnet20", "--set", "depth"), 2, "--set depth: expected OPTION=VALUE"),
        (("resnet50", "--input", "3x2"), 2, "--input 3x2: expected channels, height and width"),
        (("googlenet", "--input", "3x64x64"), 1, "the smallest square it takes is 223×223"),
        (("ablation_resnet110", "--set", "shortcut=conv", "--set", "order=bn_after_addition"), 2, "Table 1 has the original order"),
        (("FILES/net.py",), 2, "which class or function? Write"),
        (("FILES/net.py:Nett", "--input", "3x8x8"), 2, "has no `Nett`; did you mean Net?"),
        (("FILES/net.py:Net",), 2, "which images does it take? Add --input CxHxW"),
        (("FILES/net.py:made", "--set", "x=1"), 2, "is a module already; it takes no options"),
        (("FILES/gone.py:Net",), 1, "gone.py: no such file"),
        (("FILES/syntax.py:f",), 1, "cannot be imported: SyntaxError: invalid syntax (line 1)"),
        (("FILES/needs.py:f",), 1, "No module named 'nowhere_at_all' (line 1)"),
        (("FILES/exits.py:f",), 1, "cannot be imported: SystemExit: 3 (line 2)"),
        (("FILES/raises.py:make",), 1, "cannot be made: RuntimeError: out of paint (line 2)"),
        (("FILES/raises.py:text",), 1, "gives a str, expected a torch.nn.Module"),
        (("FILES/raises.py:number",), 1, "is a int, expected a class, a function or a torch.nn.Module"),
    ],
)
def test_bad_input_gets_one_line(
    capsys: pytest.CaptureFixture[str], files: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(capsys, "explain", *(argument.replace("FILES", str(files)) for argument in arguments))
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err


@pytest.mark.parametrize(("name", "seconds"), [("resnet152", 6), ("densenet264", 8), ("resnet1202", 15)])
def test_the_largest_are_explained_in_seconds(name: str, seconds: float) -> None:
    """Start-up included; the better of two, since other programs may be running."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "etude", "explain", name], capture_output=True, timeout=120, check=False)
        times.append(time.perf_counter() - start)
        assert done.returncode == 0
        if times[-1] < seconds:
            return
    pytest.fail(f"etude explain {name} takes {min(times):.1f} s, expected less than {seconds} s")
