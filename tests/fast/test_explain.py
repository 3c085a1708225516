"""What `explain` says of a network: held to the paper's table, to sums done by hand, and to a terminal of 100 columns."""

import copy
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
from etude.explain.cost import cost, peak_of_inference
from etude.explain.graph import DoesNotRun
from etude.explain.outline import Line, Part, outline
from etude.report.terminal import text_of
from etude.verification.exact import without_weights
from etude.views.network import FIRST, Subject, network_view
from etude.views.shapes import outlined
from etude.views.view import View
from shell import run

# ── Outline ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    parts = {part.place: part for part in outline(etude.graph(without_weights("densenet264", layers=(6, 12, 64, 1)), (3, 224, 224)))}
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

    parts = outline(etude.graph(Lists(), (3, 8, 8)))  # would not end
    assert parts[-1].lines[-1].shape == (83, 8, 8)


def texts(module: nn.Module, shape: tuple[int, ...] = (3, 8, 8)) -> list[list[str]]:
    return [[line.text for line in part.lines] for part in outline(etude.graph(module, shape))]


class Outputs(nn.Module):
    """Gives what `end` makes of logits, features and the image."""

    def __init__(self, end: Callable[[Any, Tensor, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.stem, self.head, self.aux = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.Conv2d(4, 4, 1)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        features = self.stem(x)
        return self.end(self, self.head(features), features, x)


def test_outputs_of_every_kind_have_an_outline() -> None:
    trunk = [["1×1 conv 4"], ["1×1 conv 5"]]
    assert texts(Outputs(lambda m, logits, features, x: (logits, features))) == trunk  # on the way to the first
    assert texts(Outputs(lambda m, logits, features, x: (logits, x))) == trunk
    joined = texts(Outputs(lambda m, logits, features, x: (logits, m.aux(features) + features)))
    assert joined == [*trunk, ["1×1 conv 4", "identity", "add"]]
    from_input = texts(Outputs(lambda m, logits, features, x: (logits, torch.cat((x, features, x * x), 1))))
    assert from_input == [*trunk, ["input", "1×1 conv 4", "multiply", "concat"]]
    assert texts(nn.Identity()) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.ZeroPad2d(1), "pad 1"),
        (nn.ZeroPad2d((0, 1, 0, 1)), "pad (0, 1, 0, 1)"),
        (nn.ConstantPad3d((0, 0, 0, 0, 0, 1), 0.0), "zero channels"),
        (nn.ConstantPad3d((1, 1, 1, 1, 0, 1), 0.0), "pad 1 and zero channels"),
        (nn.ReflectionPad2d(1), "reflect pad"),
        (nn.Conv2d(3, 3, 3, padding=1, groups=3), "3×3 conv 3, groups 3"),
        (nn.Conv2d(3, 4, 3, padding=2, dilation=2), "3×3 conv 4, dilation 2"),
        (nn.Conv2d(3, 4, 3, dilation=2), "3×3 conv 4 pad 0, dilation 2"),
    ],
)
def test_labels_say_what_is_special(module: nn.Module, text: str) -> None:
    assert texts(module) == [[text]]


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


class Calls(nn.Module):
    """A 1×1 convolution and what is made of its result."""

    def __init__(self, body: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body(self, self.conv(x))


@pytest.mark.parametrize(
    ("body", "maps"),
    [
        (lambda m, y: F.relu(y) + 1, 2),
        (lambda m, y: y.relu_().add_(1), 1),
        (lambda m, y: y.transpose(1, 2).squeeze().relu_(), 1),
        (lambda m, y: torch.cat(y.chunk(2, 1), 1), 2),
        (lambda m, y: torch.sigmoid(y.permute(0, 2, 3, 1)).add_(y.permute(0, 2, 3, 1)), 2),
        (lambda m, y: torch.tanh(torch.sigmoid(y.flatten(2).permute(2, 0, 1))), 2),  # pixels stand in front of the images
    ],
)
def test_views_and_what_is_done_in_place_need_no_memory(body: Callable[[Any, Tensor], Any], maps: int) -> None:
    size, image = 4 * 4 * 64, 4 * 3 * 64
    assert peak_of_inference(etude.graph(Calls(body), (3, 8, 8))) == max(maps * size, size + image)


def test_training_that_fails_leaves_the_rest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def body(module: Any, y: Tensor) -> Tensor:
        if module.training:
            raise ValueError("no loss without labels")
        return y

    module = Calls(body)
    found = cost(module, (3, 8, 8))
    assert (found.macs, found.kept, found.stages[0].kept) == (12 * 64, None, None)
    assert found.unknown == "ValueError: no loss without labels"

    (tmp_path / "net.py").write_text(
        "from torch import nn\nclass Net(nn.Conv2d):\n    def forward(self, x):\n        assert not self.training, 'no labels'\n"
        "        return super().forward(x)\n",
        encoding="utf-8",
    )
    arguments = ("explain", f"{tmp_path / 'net.py'}:Net", "--input", "3x8x8", *["--set", "in_channels=3", "--set", "out_channels=4"])
    arguments = (*arguments, "--set", "kernel_size=1", "--cost")
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert re.search(r"activations, training +– +unknown, for training raises AssertionError: no labels", out)
    assert json.loads(run(capsys, *arguments, "--json")[1])["cost"]["kept"] is None


def test_costs_are_of_float32_and_do_not_depend_on_surroundings() -> None:
    expected = cost(Toy(), (3, 8, 8))
    with torch.no_grad():
        assert cost(Toy(), (3, 8, 8)) == expected
    with torch.inference_mode():
        assert cost(Toy(), (3, 8, 8)) == expected
    assert cost(Toy().double(), (3, 8, 8)) == expected
    torch.set_default_dtype(torch.float64)
    try:
        assert cost(Toy(), (3, 8, 8)) == expected
        assert cost(nn.Sigmoid(), (3, 8, 8)).kept == 0  # nothing is learned
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("outputs", [nn.Conv2d(4, 2, 1), [], torch.relu])
def test_an_attribute_called_outputs_is_not_run(outputs: Any) -> None:
    module = Calls(lambda m, y: y)
    module.outputs = outputs
    assert cost(module, (3, 8, 8)).kept == 4 * 3 * 64


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
        etude.graph(without_weights("densenet121", layers=(1, 1, 1, 1)), (3, 16, 16))
    with pytest.raises(DoesNotRun, match=r"does not take 1×32×32: .*; it takes 28×28"):
        etude.graph(etude.build("lecture_inception"), (1, 32, 32))
    with pytest.raises(DoesNotRun, match="no tensor comes from its input"):
        etude.graph(Nothing(), (3, 8, 8))


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> None:
        return None


def only(*shapes: tuple[int, ...]) -> nn.Module:
    """A module that takes images of these shapes."""

    class Only(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[1:] not in shapes:
                raise ValueError(f"no such shape: {tuple(x.shape)}")
            return x + 1

    return Only()


@pytest.mark.parametrize(
    ("takes", "hint"),
    [
        ([(1, 30, 30)], "it takes 1×30×30"),  # the same square with other channels
        ([(3, side, side) for side in (28, 32, 64, 96)], "it takes 28×28"),
        ([(3, side, side) for side in (32, 64, 96)], "the smallest square it takes is 32×32"),
        ([(3, side, side) for side in range(30, 999, 2)], "it takes 32×32"),
        ([(3, side, side) for side in range(99, 999)], "the smallest square it takes is 99×99"),
        ([(1, 64, 64)], "it takes 1×64×64"),
    ],
)
def test_what_a_module_takes_is_true(takes: list[tuple[int, ...]], hint: str) -> None:
    size = (3, 30, 30) if hint != "it takes 32×32" else (3, 33, 33)
    with pytest.raises(DoesNotRun, match=f"; {hint}$"):
        etude.graph(only(*takes), size)


def test_a_strip_is_not_taken_for_a_square() -> None:
    with pytest.raises(DoesNotRun, match=r"; it takes 16×16$"):
        etude.graph(only((3, 16, 16)), (3, 16, 40))


# ── On the command line ──────────────────────────────────────────────────────────────────────────────────────────────


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


def test_the_command_prints_the_views(capsys: pytest.CaptureFixture[str]) -> None:
    module = without_weights("resnet20")
    subject = Subject("resnet20", {}, module, etude.graph(module, (3, 32, 32)), (3, 32, 32), "", lambda: module)
    assert run(capsys, "explain", "resnet20") == (0, text_of(network_view(subject, FIRST)), "")


FILES = {
    "net.py": "from torch import nn\nfrom parts import width\nclass Net(nn.Sequential):\n    def __init__(self, out=width):\n"
    "        super().__init__(nn.Conv2d(3, out, 3), nn.ReLU())\nmade = nn.ReLU()\n",
    "parts.py": "width = 4\n",
    "volumes.py": "from torch import nn\nnet = nn.Sequential(nn.Conv3d(3, 4, 3))\n",
    "digits.py": "from torch import nn\nnet = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n",
    "several.py": "from torch import nn\nclass Net(nn.Module):\n    part = Block\nclass Other(nn.Module):\n    part = Block\n"
    "class Block(nn.Module):\n    pass\n",
    "syntax.py": "def f(:\n",
    "needs.py": "import nowhere_at_all\nf = nowhere_at_all.f\n",
    "exits.py": "import sys\nf = sys.exit(3)\n",
    "annotated.py": "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
    "@dataclass\nclass Config:\n    width: int = 4\nclass Net(nn.Module):\n    def __init__(self, width, depth, act=None):\n"
    "        super().__init__()\n        from parts import width\n        self.conv = nn.Conv2d(3, width, 1)\n    def forward(self, x):\n"
    "        from late import double\n        return double(self.conv(x))\n",
    "late.py": "def double(x):\n    return 2 * x\n",
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


def test_files_are_imported_as_python_would(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    """Dataclasses with annotations that are texts, and imports in `__init__` and `forward`; nothing of it is left behind."""
    path = list(sys.path)
    target = f"{files / 'annotated.py'}:Net"
    code, out, err = run(capsys, "explain", target, "--input", "3x8x8", "--set", "width=4", "--set", "depth=2")
    assert (code, err) == (0, "")
    assert "× 2" in out
    assert sys.path == path
    assert "annotated" not in sys.modules


def test_a_file_may_be_called_like_a_module_of_python(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "types.py").write_text((FILES["net.py"]).replace("from parts import width", "width = 4"), encoding="utf-8")
    before = sys.modules["types"]
    assert run(capsys, "explain", f"{tmp_path / 'types.py'}:Net", "--input", "3x8x8")[0] == 0
    assert sys.modules["types"] is before


def test_long_names_fit_a_terminal() -> None:
    place = ".".join(["a_rather_long_name_of_a_module"] * 5)
    line = Line("step", "3×3 conv 64, BN, ReLU", (64, 8, 8), (64, 8, 8))
    out = text_of(View("", "", tuple(outlined([Part(place, (line,)), Part("fc", (line,), side=True)])), None))
    assert "…" in out
    assert place[-20:] in out
    assert "3×3 conv 64, BN, ReLU" in out
    assert max(len(text.rstrip()) for text in out.splitlines()) <= 100


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("resnt50",), 2, "no model `resnt50`; did you mean resnet50"),
        (("resnet20", "--set", "shortct=A"), 2, "resnet20 has no option `shortct`; did you mean shortcut?"),
        (("resnet20", "--set", "name=3"), 2, "resnet20 has no option `name`"),
        (("resnet20", "--set", "shortcut=D"), 2, "shortcut = 'D', expected one of 'A', 'B', 'C', None"),
        (("resnet20", "--set", "depth=21"), 2, "depth = 21, expected 6n + 2"),
        (("resnet20", "--set", "depth=deep"), 2, "resnet20(depth='deep')"),
        (("resnet20", "--set", "depth"), 2, "--set depth: expected NAME=VALUE"),
        (("resnet50", "--input", "3x2"), 2, "--input 3x2: expected channels, height and width"),
        (("googlenet", "--input", "3x64x64"), 1, "the smallest square it takes is 223×223"),
        (("ablation_resnet110", "--set", "shortcut=conv", "--set", "order=bn_after_addition"), 2, "Table 1 has the original order"),
        (("FILES/several.py",), 2, "which network? Net (line 2), Other (line 4); blocks: Block (line 6). Write FILES/several.py:Net"),
        (("FILES/parts.py",), 2, "has no network of its own"),
        (("FILES/net.py:Nett", "--input", "3x8x8"), 2, "has no `Nett`; did you mean Net?"),
        (("FILES/net.py:Net",), 2, "which images does it take? Add --input CxHxW, such as --input 3x32x32, on which it runs\n"),
        (("FILES/volumes.py",), 2, "which images does it take? Add --input CxHxW, such as --input 3x32x32\n"),
        (("FILES/digits.py",), 2, "which images does it take? Add --input CxHxW, such as --input 1x28x28, on which it runs\n"),
        (("C:\\x\\net.py",), 1, "C:\\x\\net.py: no such file"),
        (("C:\\x\\net.py:Net",), 1, "C:\\x\\net.py: no such file"),
        (("net:Net",), 2, "no module `net`; install the package that has it, or name a registered network (etude ls) or FILE.py:CALLABLE"),
        (("FILES/annotated.py:Net",), 2, "needs width, depth; give it as in 'FILES/annotated.py:Net(width=…, depth=…)'"),
        (("FILES/annotated.py:Net", "--set", "depth=2"), 2, "annotated.py:Net(depth=2) needs width; give it as in"),
        (("FILES/net.py:made", "--set", "x=1"), 2, "is a module already; it takes no options"),
        (("FILES/gone.py:Net",), 1, "gone.py: no such file"),
        (("FILES/syntax.py:f",), 1, "cannot be imported: SyntaxError: invalid syntax (line 1)"),
        (("FILES/needs.py:f",), 1, "No module named 'nowhere_at_all' (line 1)"),
        (
            ("FILES/exits.py:f",),
            1,
            "cannot be imported: it ends the program with sys.exit(3) (exits.py line 2); f needs that line: add --run-all",
        ),
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
    assert message.replace("FILES", str(files)) in err
