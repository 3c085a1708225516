"""A network without its script: what of a file, and of a notebook, is run for a target, and what is said of the rest."""

import ast
import inspect
import json
import re
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import etude
import places
from etude.errors import EtudeError, UsageError
from etude.source import Script, tree_of
from etude.targets.candidates import named
from etude.targets.needed import Part
from etude.targets.opening import opened
from etude.targets.target import Target
from etude.verification import limited
from shell import run

# ── What is needed ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "source", "lines"),  # of the statements that run
    [
        ("Net", "import torch, os\nprint(1)\nclass Net(torch.nn.Module): pass\nnet = Net()", [1, 3]),
        (
            "Net",
            "W = 3\nD = 4\ndef f():\n    return W\nclass Net:\n    def forward(self, D):\n        return f()",
            [1, 3, 5],
        ),
        ("Net", "x = load()\nclass Net:\n    def forward(self, x):\n        return [x for x in x]", [2]),
        ("Net", "B = D = K = 1\ndef deco(c, d=D): return c\nx = 1\n@deco\nclass Net(B, key=K): pass\nD = 2", [1, 2, 4]),
        ("Net", "try:\n    import a\nexcept ImportError:\n    a = None\nif a:\n    B = 1\nelse:\n    B = 2\nclass Net: b = B", [1, 5, 9]),
        ("Net", "c = {}\nc['a'] = 1\nc.update(b=2)\nc.get('a')\nc.d.e = 3\nclass Net: c = c", [1, 2, 3, 5, 6]),
        ("Net", "import p\np.x = 1\nfrom q import cfg\ncfg.x = 1\nclass Net: a = p, cfg", [1, 3, 4, 5]),
        ("Net", "import sys, json\nsys.path.insert(0, 'a')\nsys.argv = []\nimport b\nclass Net: b", [1, 2, 4, 5]),
        ("Net", "from a import *\nfrom b import x\nclass Net:\n    def forward(self): return relu(x)", [1, 2, 3]),
        ("Net", "from a import *\nclass Net:\n    def forward(self, x): return print(x, __name__)", [2]),
        ("Net", "n = 1\nclass Net: n = n\nn = load()", [1, 2]),
        ("Net", "n = 1\nclass Net:\n    def f(self): return n\nn = 2", [1, 2, 4]),
        ("Net", "import a.b\nimport a.c\nclass Net: x = a.b", [1, 2, 3]),
        ("net", "net = A()\nnet = Net()\nnet.fc = 1\nnet.train()\nopt = SGD(net.parameters())\nnet = wrap(net)", [2, 3, 6]),
        (
            "net",
            "net = Net()\nfor m in net.modules():\n    m.stride = 1\nfor p in net.parameters(): p.grad = None\nfor m in x: m.a = 1",
            [1, 2],
        ),
        (
            "net",
            "net = Net()\nparametrize.register_parametrization(net.fc, 'weight', P())\nfor b in (net.a, net.b): b.stride = 1",
            [1, 2, 3],
        ),
        (
            "net",
            "net = Net()\n[setattr(m, 'p', 0) for m in net.modules()]\na, b = net.a, net.b\na.x = 1\nlist(net.c())[0].x = 1",
            [1, 2, 3, 4],
        ),
        ("net", "net = Net()\nlist(net.children())[0].x = 1\ndef widen(*, n): n.fc = 1\nwiden(n=net)", [1, 2, 3, 4]),
        ("net", "net = Net()\ndef test(n, d):\n    for x, y in d:\n        n.right = n(x) == y\ntest(net, load())", [1]),
        ("net", "net = Net()\nblock = net.body[0]\nblock.conv = 1\nblock = load()\nblock.conv = 2", [1, 2, 3]),
        ("net", "net = Net()\nfor at, b in enumerate(net.body):\n    c = b.conv\n    c.bias = None\nsummary(net)", [1, 2]),
        ("net", "net = Net()\ndef swap(m):\n    m.fc = 1\ndef look(m):\n    print(m)\nswap(net)\nlook(net)\nswap(m=other)", [1, 2, 6]),
        (
            "net",
            "net = Net()\ndef deep(m, d):\n    for c in m.children():\n        deep(c, d)\n    m.bn = d\ndeep(d=0, m=net)\ndeep(1, net)",
            [1, 2, 6],
        ),
        ("net", "net = Net()\nnn.utils.parametrizations.weight_norm(net.fc)\nnn.utils.clip_grad_norm_(net.parameters(), 1)", [1, 2]),
        ("net", "net = Net()\ndef fit(m):\n    loss(m).backward()\n    return m\nnet = fit(net)\nfor i in x:\n    net = fit(net)", [1]),
        ("net", "net = Net()\nnet = fit(net)\ndef step(m):\n    m.backward()\ndef fit(m):\n    step(m)\n    return m", [1]),
        ("net", "def fit(m):\n    m.backward()\n    return m\nnet = fit(Net())", [1, 4]),
        ("net", "layers = []\nfor i in range(3):\n    layers.append(i)\nlayers += [4]\nprint(layers)\nnet = S(*layers)", [1, 2, 4, 6]),
        ("net", "p = Parser()\np.add_argument('-n')\nargs = p.parse_args()\nnet = Net(args.n)", [1, 2, 3, 4]),
        ("Net", "if __name__ == '__main__':\n    n = load()\nn = 1\nclass Net: n = n", [3, 4]),
        ("net", "net = Net().to(d)\nnet: M = net.cuda()\nnet.cuda()\nd = device()", [1, 2]),
        ("make", "R = {}\ndef reg(f):\n    R[f] = f\n@reg\ndef a(): pass\n@other\ndef b(): pass\ndef make(): return R['a']", [1, 2, 4, 8]),
        (
            "Net",
            "from d import add\nclass Net: pass\n@add(Net)\ndef f(): pass\nsetattr(Net, 'g', f)\ndel Net.h\nNet()",
            [1, 2, 3, 5, 6],
        ),
        ("make", "from r import R\n@R.register('a')\nclass A: pass\ndef make(): return R['a']", [1, 2, 4]),
        ("make", "x = 1\ndef make(name): return globals()[name]()\nprint(x)", [1, 2, 3]),
        ("Nett", "print(1)\nclass Net: pass", []),
    ],
)
def test_what_a_name_needs(name: str, source: str, lines: list[int]) -> None:
    part = Part.of(Script(Path("net.py"), source), name)
    assert sorted({one.lines[0] for one in part.needed}) == lines


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a\n'''text'''\ndef f(): pass\nSEED = {'a': (-1, None)}\nclass Net: pass\n", ""),
        ("class Net: pass\nprint(1)\n", "line 2 is not needed for Net and was not run"),
        ("import a\nx = f()\nimport b\ny = g()\nZ = 0\nclass Net: 1\nx", "lines 2–4 and 7 are not needed for Net and were not run"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_said_in_a_line(source: str, said: str) -> None:
    assert Part.of(Script(Path("net.py"), source), "Net").left_out() == said
    assert Part.of(Script(Path("net.py"), source), "Net", run_all=True).left_out() == ""


# ── Notebooks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def notebook(file: Path, *cells: str) -> Path:
    written = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    file.write_text(json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "# x"}, *written]}), encoding="utf-8")
    return file


def test_a_notebook_is_a_script(tmp_path: Path) -> None:
    """Its lines stay where they are; what only a notebook understands is left out, but not from a text that looks like it."""
    text = 'text = """\n%s\n!x\n"""'
    first = "%pip install x\n!pip install -q \\\n  y \\\n  z\nif 1:\n    !ls\nfiles = !ls\nnn.Conv2d?\na = 1"
    cells = (first, "%%bash\nls", "%%time\nb = 2", text, "a b c", "c = 3")
    script = Script.read(notebook(tmp_path / "a.ipynb", *cells))
    assert ast.unparse(script.tree) == "pass\npass\nif 1:\n    pass\npass\npass\na = 1\npass\nb = 2\ntext = '\\n%s\\n!x\\n'\nc = 3"
    assert [script.place(node.lineno) for node in script.tree.body[-2:]] == ["cell 4, line 1", "cell 6, line 1"]
    assert [script.place(node.lineno) for node in script.tree.body[1:3]] == ["cell 1, line 2", "cell 1, line 5"]


def module_of(target: str) -> Any:
    with opened(Target.read(target)) as made:
        return made.module


def failure(target: str, **options: bool) -> str:
    with pytest.raises(EtudeError) as caught, opened(Target.read(target), **options):
        pass
    return str(caught.value)


def test_places_in_a_notebook_are_cells(tmp_path: Path) -> None:
    start, data = "from torch import nn", "x = load()\ny = 1"
    network = "%matplotlib inline\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        1 / 0"
    file = notebook(tmp_path / "a.ipynb", start, data, network, "\n\nclass Broken(:\n    pass")
    assert failure(f"{file}:Net").endswith("SyntaxError: invalid syntax (cell 4, line 3)")
    notebook(file, start, data, network, "net = x\nclass Net(Net): pass")
    assert failure(f"{file}:Net").endswith("cannot be made: ZeroDivisionError: division by zero (cell 3, line 5)")
    assert "NameError: name 'load' is not defined (cell 2, line 1); net needs that line" in failure(f"{file}:net")
    assert Part.of(Script.read(file), "Net").left_out() == "cell 2 and line 1 of cell 4 are not needed for Net and were not run"
    assert limited.place([(str(file), "8")]) == " (a.ipynb cell 3, line 5)"
    file.write_text("{}", encoding="utf-8")
    assert failure(f"{file}:Net").endswith("is no notebook")


def test_python_finds_the_source_of_a_notebook(tmp_path: Path) -> None:
    file = notebook(tmp_path / "a.ipynb", "from torch import nn", "class Net(nn.ReLU):\n    def forward(self, x):\n        return -x")
    with opened(Target.read(f"{file}:Net")) as made:
        assert inspect.getsource(type(made.module)) == "class Net(nn.ReLU):\n    def forward(self, x):\n        return -x\n"
        assert inspect.getsource(made.module.forward) == "    def forward(self, x):\n        return -x\n"


# ── Which network ────────────────────────────────────────────────────────────────────────────────────────────────────

BLOCK = "class Block(nn.Module):\n    def forward(self, x): return x\n"
WANTS = "class Net(nn.Module):\n    def __init__(self, block, n): pass\n    def forward(self, x): return x\n"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (BLOCK + "class Net(nn.Module):\n    def __init__(self): self.a = Block()\n", "Net"),
        (BLOCK + "class Net(nn.Module):\n    def __init__(self): self.a = Block()\n    def forward(self, x): pass\n", "Net"),
        (BLOCK + "class Loss(nn.Module):\n    def forward(self, x, y): return x\nnet = Block()\n", "Block"),
        (BLOCK + "class Task(pl.LightningModule):\n    def __init__(self, net): pass\nTask(Block())\n", "Block"),
        (BLOCK + "class Op(torch.autograd.Function):\n    def forward(ctx, x): return x\n", "Block"),
        (BLOCK + WANTS + "net = Net(Block, 3)\nnet = nn.DataParallel(net)\n", "net"),
        (BLOCK + WANTS + "def small(): return Net(Block, 3)\ndef train(): small()\n", "small"),
        (WANTS + "def a(): return make(3)\ndef b(): return make(9)\ndef make(n): return Net(None, n)\n", "? a (line 4), b (line 5)"),
        ("def net():\n    return nn.Sequential(*block())\ndef block(): return [nn.Sequential()]\n", "net"),
        (BLOCK + "class Net(Block): pass\ndef layers(c):\n    return [nn.Conv2d(1, c, 3), Block()]\n", "Net"),
        (BLOCK + "nets = [Block()]\n", "Block"),
        (WANTS, "Net"),
        (BLOCK + "def train(of):\n    return of()\ntrain(Block)\n", "Block"),
        (WANTS.replace("Net", "Block") + WANTS, "which network? Net (line 4), Block (line 1). Write"),
        (BLOCK + "class Other(Block): pass\n", "Other"),
        ("a = nn.Sequential(nn.ReLU())\nnet = nn.Sequential(a)\nx = torch.ones(3)\n", "net"),
        ("net = models.resnet18()\nopt = SGD(net.parameters())\n", "net"),
        ("class Data(Dataset): pass\n", "has no network of its own; expected a class with a forward; it defines Data (line 1). Write"),
        ("net = 3\n", "has no network of its own; expected a class with a forward. Write"),
    ],
)  # fmt: skip
def test_the_network_of_a_file(tmp_path: Path, source: str, name: str) -> None:
    file = tmp_path / "nets.py"
    file.write_text(source, encoding="utf-8")
    try:
        assert named(Target.read(str(file))).name == name
    except UsageError as error:
        assert " " in name
        assert name in str(error)


# ── As people write them ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "network", "left_out"),
    [
        ("lecture_inception.py", "lecture_inception", "lines 12–17 and 65–101"),
        ("lecture_residual.py:Net", "lecture_residual", "lines 7, 10–11 and 65–73"),
        ("lecture_residual.py:model", "lecture_residual", "lines 7, 10–11 and 68–73"),
        ("two_networks.py:ResNet", "lecture_residual", "lines 10–11 and 64–65"),
        ("two_networks.py:ScaledNet", "lecture_residual_scaled", "lines 10–11 and 64–65"),
        ("cifar_resnet_argparse.py:ResNet(BasicBlock, [1, 1, 1])", "resnet20(depth=8)", "lines 11–18 and 78–86"),
        ("cifar_densenet.py", "densenet_40_12(depth=22)", ""),
        ("preact_trainer.py", "preact_resnet110(depth=20)", "lines 11 and 58–59"),
        ("imagenet_resnet18.py:resnet18", "resnet18", "lines 74–75"),
        ("plain_sequential.py", "plain20", "lines 6–8 and 27–34"),
        ("mnist_densenet_config.py", "lecture_densenet", ""),
        ("repository/models/resnet.py:CifarResNet(8)", "resnet20@b(depth=8)", ""),
        ("repository/train.py", "resnet20@b", "lines 6 and 8–11"),
        ("imagenet_resnet18.py", "resnet18", "lines 74–75"),
        ("lecture.ipynb", "lecture_residual", "cells 2 and 6–7 and line 22 of cell 5"),
        ("lecture.ipynb:model", "lecture_residual", ""),
        ("cifar_colab.ipynb:ResNet(BasicBlock, [1, 1, 1])", "resnet20(depth=8)", ""),
        ("cifar_colab.ipynb", "resnet20(depth=8)", ""),
        ("homework.ipynb:ResidualBlock(16)", "", "cell 3 and line 6 of cell 1"),
        ("d2l_format3.ipynb", "lecture_residual", "cells 4–5"),
    ],
)
def test_a_script_is_opened_at_the_first_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str, network: str, left_out: str
) -> None:
    """As many weights of the same shapes as the network that it is of; nothing of its training runs, which would leave files behind."""
    monkeypatch.chdir(tmp_path)
    before, path = sorted(places.SCRIPTS.rglob("*")), list(sys.path)
    with opened(Target.read(f"{places.SCRIPTS}/{target}")) as made:
        assert made.note.startswith(left_out)
        assert made.note.endswith((" not run", left_out))
        if network:
            ours = Target.read(network).network.without_weights()
            assert shapes(made.module) == shapes(ours)
    assert (sorted(places.SCRIPTS.rglob("*")), list(tmp_path.iterdir()), sys.path) == (before, [], path)
    assert "models" not in sys.modules or "repository/train" in target
    sys.modules.pop("models", None)


def shapes(module: nn.Module) -> list[tuple[int, ...]]:
    return sorted(tuple(weight.shape) for weight in module.parameters())


def test_a_package_begins_only_where_it_must(tmp_path: Path) -> None:
    """Its `__init__` may need what is not installed, and a file in it only what is beside it."""
    (tmp_path / "parts.py").write_text("from torch import nn\nLayer = nn.ReLU\n", encoding="utf-8")
    (tmp_path / "__init__.py").write_text("from .parts import Layer as Other\nimport not_there\n", encoding="utf-8")
    (tmp_path / "net.py").write_text("from .parts import Layer\nfrom . import parts, Other, missing\n", encoding="utf-8")
    assert type(module_of(f"{tmp_path}/net.py:Layer")) is nn.ReLU
    assert failure(f"{tmp_path}/net.py:Other").endswith("No module named 'not_there' (line 2)")
    (tmp_path / "__init__.py").write_text("from .parts import Layer as Other\n", encoding="utf-8")
    assert type(module_of(f"{tmp_path}/net.py:Other")) is nn.ReLU
    assert "cannot import name 'missing'" in failure(f"{tmp_path}/net.py:missing")
    assert not [name for name in sys.modules if name.startswith(tmp_path.name)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("lecture.ipynb:Nett", "has no `Nett`; did you mean Net"),
        (
            "cifar_resnet_argparse.py",
            r"reads the command line, which lacks .* line 15\); net needs that line: name .*:ResNet\(…\) with its values or add --run-all",
        ),
        ("preact_trainer.py:Trainer", r"cannot be imported: ModuleNotFoundError: No module named 'pytorch_lightning' \(line 4\)$"),
        ("two_networks.py", r"which network\? ResNet \(line 42\), ScaledNet \(line 54\); blocks: Scaled \(line 14\), Block \(line 23\)"),
        ("repository/models/resnet.py", r"needs depth; give it as in '.*resnet.py:CifarResNet\(depth=…\)'"),
    ],
)
def test_what_cannot_be_opened_has_a_way_out(target: str, message: str) -> None:
    assert re.search(message, failure(f"{places.SCRIPTS}/{target}"))


def test_who_names_a_class_that_wants_values_is_told_how_to_make_it(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    made = "def small(): return made(3)\ndef made(n): return Net(None, n)\n"
    file.write_text(f"from torch import nn\n{WANTS}{made}", encoding="utf-8")
    assert failure(f"{file}:Net").endswith(f"needs block, n; give it as in '{file}:Net(block=…, n=…)', or name what makes it: small")
    assert failure(f"{file}:made").endswith(f"needs n; give it as in '{file}:made(n=…)', or name what makes it: small")
    file.write_text(f"from torch import nn\n{BLOCK}{WANTS}", encoding="utf-8")
    assert failure(f"{file}:Net").endswith(f"needs block, n; give it as in '{file}:Net(block=Block, n=…)'")
    file.write_text(f"from torch import nn\n{WANTS}def made(block, n): return Net(block, n)\n", encoding="utf-8")
    assert failure(f"{file}:made").endswith(f"needs block, n; give it as in '{file}:made(block=…, n=…)'")
    loss = "class Loss(nn.Module):\n    def forward(self, x, y): return x\n"
    file.write_text(f"from torch import nn\n{loss}{WANTS}", encoding="utf-8")
    assert failure(f"{file}:Net").endswith(f"give it as in '{file}:Net(block=…, n=…)'")


@pytest.mark.parametrize(
    ("first", "encoding", "opens"),
    [("", "gbk", False), ("", "utf-16", False), ("x = 1\n\n", "gbk", False), ("# coding: gbk\n", "gbk", True), ("", "utf-8-sig", True)],
)
def test_a_file_that_is_not_saved_as_utf_8_says_so(tmp_path: Path, first: str, encoding: str, opens: bool) -> None:
    file = tmp_path / "net.py"
    file.write_bytes(f"{first}# 残差网络\nfrom torch import nn\nclass Net(nn.ReLU):\n    name = '网络'\n".encode(encoding))
    if opens:
        assert module_of(f"{file}:Net").name == "网络"
    else:
        assert failure(f"{file}:Net").endswith("it is not saved as UTF-8: choose that encoding in your editor, and save it again")


def test_a_file_that_declares_another_encoding_than_it_has_says_so(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_bytes("# coding: gbk\n# 你好吗\nfrom torch import nn\nclass Net(nn.ReLU): pass\n".encode())
    assert failure(f"{file}:Net").endswith("its first lines say that it is in gbk, and it is not: take that out, or save it so")


def test_what_a_class_has_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(ZOO, encoding="utf-8")
    assert type(module_of(f"{tmp_path}/net.py:Zoo.resnet20")) is nn.ReLU
    assert type(module_of(f"{tmp_path}/net.py:Zoo.ready")) is nn.Flatten
    assert failure(f"{tmp_path}/net.py:Zoo.resnet21").endswith("net.py has no `Zoo.resnet21`; did you mean resnet20?")
    assert failure(f"{tmp_path}/net.py:Zo.resnet20").endswith("net.py has no `Zo`; did you mean Zoo?")
    assert "net.py cannot be imported: NameError: name 'load' is not defined (line 10)" in failure(f"{tmp_path}/net.py:failed.net")


ZOO = """
from torch import nn
class Zoo:
    ready = nn.Flatten()
    @staticmethod
    def resnet20():
        return nn.ReLU()
with open("settings.yaml") as file:
    width = int(file.read())
failed = load()
wide = nn.Linear(width, width)
def made():
    return nn.Linear(width, width)
"""


@pytest.mark.parametrize("name", ["wide", "made"])
def test_a_file_beside_it_that_is_opened_by_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "net.py").write_text(ZOO, encoding="utf-8")
    (tmp_path / "settings.yaml").write_text("3", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "verify", f"net.py:{name}", "--against", "resnet20")
    assert code
    assert "open Path(__file__).parent / 'settings.yaml', which is found from whatever folder it runs in" in " ".join(out.split())


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (
            "try:\n    import not_there as net\nexcept ImportError as error:\n    raise error from error",
            "net",
            "No module named 'not_there'",
        ),
        ("from __future__ import annotation\nnet = 1", "net", "SyntaxError: future feature annotation is not defined"),
        ("from ........................above import net", "net", "beyond top-level package"),
        ("nets = {'small': 1}", "nets.small", "has no `nets.small`"),
        (
            "class Lazy:\n    def __getattr__(self, name):\n        import not_there\nlazy = Lazy()",
            "lazy.net",
            "No module named 'not_there'",
        ),
    ],
    ids=["raised from itself", "future", "above the root", "in a dict", "lazy"],
)
def test_odd_files_are_told_in_a_line(tmp_path: Path, source: str, name: str, message: str) -> None:
    (tmp_path / "net.py").write_text(source, encoding="utf-8")
    assert message in failure(f"{tmp_path}/net.py:{name}")


NETS = """
    import torch
    from torch import nn
    import not_there
    from not_there import *
    net = torch.nn.DataParallel(nn.Conv2d(3, 4, 1).to('cuda:0').cuda())
    net.extra = torch.zeros(2, device='cuda')
    class Net(nn.Sequential):
        def __init__(self, make, width, norm='nn.ReLU', others=()):
            super().__init__(make(3, width), *[other() for other in others])
            self.given = make, width, norm
        def plot(self):
            not_there.plot(self)
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            not_there.build()
    class Moves(nn.Module):
        def forward(self, x):
            return x.cuda() + torch.ones(1, device='cuda:0').to(torch.device('cuda'))
    failed = not_there.build()
    wrapped = nn.Sequential(failed)
    depends = bool
    def conv(i, o):
        return nn.Conv2d(i, o, 1)
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(textwrap.dedent(NETS), encoding="utf-8")
    return tmp_path / "nets.py"


def test_names_among_the_arguments_are_those_of_the_file(nets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = module_of(f"{nets}:Net(conv, 4, norm=nn.ReLU, others=[nn.ReLU, nn.Flatten])")
    assert [type(part) for part in made] == [nn.Conv2d, nn.ReLU, nn.Flatten]
    assert (made.given[0].__name__, *made.given[1:]) == ("conv", 4, nn.ReLU)
    assert module_of(f"{nets}:Net(conv, 4, norm='nn.ReLU')").given[2] == "nn.ReLU"
    assert module_of(f"{nets}:Net(conv, 4, norm=batch)").given[2] == "batch"
    assert "rblock1.conv_shortcut.weight" in module_of("etude.models.lecture:LectureResidual(block=ConvShortcutBlock)").state_dict()
    code, out, err = run(capsys, "explain", f"{nets}:Net", "--set", "make=conv", "--set", "width=4", "--input", "3x4x4")
    assert (code, err) == (0, "lines 6–7 and 21–23 are not needed for Net and were not run\n")
    assert "1×1 conv 4" in out


def test_what_is_not_there_counts_when_it_is_used(nets: Path) -> None:
    for name in ("Late", "failed", "wrapped"):
        assert failure(f"{nets}:{name}").endswith("No module named 'not_there' (line 4)")
    assert failure(f"{nets}:net", run_all=True).endswith("No module named 'not_there' (line 5)")


def test_no_graphics_card_is_needed(nets: Path) -> None:
    """Neither where the network is made nor where it runs."""
    with opened(Target.read(f"{nets}:net")) as made:
        assert {weight.device.type for weight in made.module.parameters()} == {"cpu"}
        assert made.module.extra.shape == (2,)
    with opened(Target.read(f"{nets}:Moves")) as made:
        assert made.module(torch.ones(1)).item() == 2


def test_a_class_of_a_live_session_is_made() -> None:
    class Net(nn.Linear):
        def __init__(self, width: int) -> None:
            super().__init__(width, 10)

    with pytest.raises(UsageError, match=r"Net needs width; give it as in 'Net\(width=…\)'"):
        etude.verify(Net, against="lecture_residual")  # type: ignore[arg-type]
    assert etude.verify(nn.Identity, against="resnet20", depth=8).target == "Identity"
    assert torch.get_default_dtype() == torch.float32


def test_threads_read_python_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else Python 3.11 raises SystemError in the studio now and then."""
    within, together = list[str](), list[int]()

    def parse(text: str, *_: Any, **__: Any) -> ast.Module:
        within.append(text)
        together.append(len(within))
        time.sleep(0.01)
        within.remove(text)
        return ast.Module([], [])

    monkeypatch.setattr(ast, "parse", parse)
    with ThreadPoolExecutor(3) as pool:
        assert len(list(pool.map(tree_of, "abcdef"))) == 6
    assert set(together) == {1}
