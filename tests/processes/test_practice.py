"""`practice` passes what is right in whatever style, names the mistake that was made, and refuses everything else."""

import ast
import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import etude
import mutants
import places
from etude.cli import app
from etude.cli import practice as commands
from etude.models import lecture
from etude.practice import checker
from etude.practice.checker import Checked, checked, warm
from etude.practice.exercises import FOLDER, LANGUAGES, exercise, names
from etude.practice.findings import Finding
from etude.practice.sources import merged
from etude.practice.words import diagnosis, language_here, messages
from etude.practice.workbook import STATE, Workbook
from etude.verification.apart import Server
from etude.verification.judge import verify

ANSWERS = sorted(places.ANSWERS.glob("*/*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with warm() as process:
        yield process


@pytest.fixture
def quick(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands check in the process that is warm already."""
    monkeypatch.setattr(checker, "call", server.call)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def ids(result: Checked) -> list[str]:
    return [diagnosis.id for diagnosis in result.diagnoses]


# ── Every exercise ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_exercises_are_those_of_the_folders() -> None:
    assert sorted(names()) == sorted(folder.name for folder in FOLDER.iterdir() if (folder / "exercise.toml").exists())
    assert len(names()) == 24
    assert sum(len(exercise(name).mistakes) for name in names()) >= 60


@pytest.mark.parametrize("name", names())
def test_an_exercise_is_complete_in_both_languages(name: str) -> None:
    task = exercise(name)
    assert len(task.hints) == 3
    assert sorted(task.mistakes) == sorted(file.stem for file in (task.folder / "mistakes").glob("*.py"))
    for words in (task.title, *task.hints, *task.mistakes.values()):
        assert words.en
        assert not CHINESE.search(words.en)
        assert CHINESE.search(words.zh)
    for language in LANGUAGES:
        start = task.starting_file(language)
        assert "TODO" in start
        assert ast.get_docstring(ast.parse(start), clean=False) == task.task(language) + "\n"
        assert bool(CHINESE.search(start)) == (language == "zh")
        assert max(map(len, start.splitlines())) <= 140


@pytest.mark.parametrize("name", names())
def test_the_starting_file_fails_and_the_solution_passes(server: Server, tmp_path: Path, name: str) -> None:
    for language in LANGUAGES:
        result = checked(name, written(tmp_path, name, exercise(name).starting_file(language)), language, server)
        assert (result.status, ids(result), result.untouched) == ("fail", ["too_long" if name == "refactor" else "todo"], True)
    result = checked(name, exercise(name).solution, "en", server)
    assert (result.status, result.diagnoses, result.untouched) == ("pass", (), False)


@pytest.mark.parametrize("name", names())
def test_every_mistake_gets_its_own_message(server: Server, name: str) -> None:
    task = exercise(name)
    for number, (id_, message) in enumerate(task.mistakes.items()):
        language = LANGUAGES[number % 2]
        result = checked(name, task.mistake(id_), language, server)
        assert ids(result)[:1] == [id_], f"{id_}: {result.diagnoses}"
        assert result.diagnoses[0].message == message[language]
        assert len(result.diagnoses) == (2 if result.status == "error" else 1)


CATALOGUE = {
    "inception-shared-reducer": "inception_a/shared_reducer",
    "inception-avgpool-missing": "inception_a/avgpool_missing",
    "inception-reducer-3x3": "inception_a/reducer_3x3",
    "inception-maxpool": "inception_a/maxpool",
    "inception-size-mismatch": "inception_a/no_padding_5x5 inception_a/no_padding_3x3 inception_a/pool_stride",
    "inception-cat-dim": "inception_a/cat_dim",
    "inception-add-not-cat": "inception_a/add_not_cat",
    "inception-next-in-channels": "lecture_inception/next_in_channels",
    "fc-in-features": "lecture_inception/fc_in_features lecture_residual/fc_in_features flatten_size/pool_dropped",
    "inception-typos": "lecture_inception/typo_forward lecture_inception/call_missing lecture_inception/no_argument",
    "residual-conv1-twice": "residual_block/conv1_twice",
    "residual-net-conv-overwritten": "lecture_residual/conv_overwritten",
    "residual-relu-before-add": "residual_block/relu_before_addition residual_block/relu_also_before_addition",
    "residual-conv-padding-2": "lecture_residual/conv_padding_2",
    "residual-shape-mismatch": "residual_block/no_padding",
    "residual-inplace-add": "residual_block/inplace_add",
    "residual-else-wrong-name": "downsampling_block/else_wrong_name",
    "conv-shortcut-feeds-branch": "conv_shortcut/feeds_branch",
    "scaling-one-side": "constant_scaling/branch_not_scaled constant_scaling/shortcut_not_scaled",
    "scaling-before-convs": "constant_scaling/scaled_before_convs",
    "exercise-variants-mixed": "conv_shortcut/mixed_with_scaling",
    "densenet-add-not-cat": "dense_block/add_not_cat",
    "densenet-in-channels-fixed": "dense_block/in_channels_fixed",
    "densenet-python-list": "dense_block/python_list",
    "densenet-conv-bn-relu": "dense_layer/conv_bn_relu",
    "densenet-no-transition": "densenet/no_transition transition/nothing",
    "bce-ten-classes": "train_loop/bce_ten_classes",
    "wrong-batch-name": "train_loop/wrong_batch_name",
    "softmax-before-ce": "train_loop/softmax_before_ce",
    "device-hardcoded": "train_loop/device_hardcoded",
    "no-eval-with-bn": "train_loop/no_eval",
}


@pytest.mark.parametrize("known", CATALOGUE)
def test_what_learners_are_known_to_get_wrong_is_catalogued(known: str) -> None:
    """The mistakes found in public answers to the lecture's exercises, and those of its training loop that two functions show."""
    for place in CATALOGUE[known].split():
        name, _, id_ = place.partition("/")
        assert id_ in exercise(name).mistakes


# ── Solutions are what the papers say: networks made of them are held to the papers' tables ──────────────────────────


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
    report = verify(make(), against, **options)
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


# ── Right answers, wrong answers ─────────────────────────────────────────────────────────────────────────────────────


def test_there_are_enough_answers() -> None:
    assert len(ANSWERS) >= 50
    for name in names():
        assert sum(file.parent.name == name for file in ANSWERS) >= 2, name


@pytest.mark.parametrize("file", ANSWERS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_right_answer_passes_in_whatever_style(server: Server, file: Path) -> None:
    result = checked(file.parent.name, file, "en", server)
    assert result.passed, result.diagnoses


MUTANTS = mutants.drawn(40, seed=6)


@pytest.mark.parametrize("name", names())
def test_the_judge_of_the_mutants_tells_the_solution_from_the_mistakes(name: str) -> None:
    """It knows nothing of the checker; here it is itself put to the test."""
    task = exercise(name)
    assert not mutants.differs(mutants.Mutant(name, "", task.solution.read_text(encoding="utf-8")))
    rng = random.Random(0)
    for id_ in rng.sample(sorted(task.mistakes), 3):
        assert mutants.differs(mutants.Mutant(name, id_, task.mistake(id_).read_text(encoding="utf-8"))), id_


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.exercise}-{mutant.operator}")
def test_a_mutant_passes_only_where_it_is_the_same_function(server: Server, tmp_path: Path, mutant: mutants.Mutant) -> None:
    result = checked(mutant.exercise, written(tmp_path, mutant.exercise, mutant.source), "en", server)
    assert result.passed != mutants.differs(mutant), result.diagnoses


def both(name: str, one: str, other: str) -> str:
    task = exercise(name)
    source = merged(*(file.read_text(encoding="utf-8") for file in (task.solution, task.mistake(one), task.mistake(other))))
    assert source is not None
    return source


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("inception_a", "maxpool", "reducer_3x3"),
        ("residual_block", "conv1_twice", "no_last_relu"),
        ("constant_scaling", "scaled_before_convs", "no_last_relu"),
        ("exclusive_gating", "sides_swapped", "bias_sign"),
        ("bottleneck", "stride_in_3x3", "no_last_relu"),
        ("googlenet_inception", "average_pool", "three_for_five"),
        ("densenet", "half_compression", "no_last_relu"),
        ("conv_cost", "kernel_not_squared", "counts_flops"),
        ("train_loop", "no_zero_grad", "percent"),
    ],
)
def test_two_mistakes_at_once_are_both_named(server: Server, tmp_path: Path, name: str, one: str, other: str) -> None:
    result = checked(name, written(tmp_path, name, both(name, one, other)), "zh", server)
    assert sorted(ids(result)) == sorted([one, other])
    assert [diagnosis.message for diagnosis in result.diagnoses] == [exercise(name).mistakes[id_].zh for id_ in ids(result)]


def edited(name: str, old: str, new: str) -> str:
    source = exercise(name).solution.read_text(encoding="utf-8")
    assert old in source
    return source.replace(old, new)


def line_of(source: str, part: str) -> int:
    return next(number for number, line in enumerate(source.splitlines(), start=1) if part in line)


def test_an_unknown_mistake_is_placed(server: Server, tmp_path: Path) -> None:
    source = edited("residual_block", "y = F.relu(y)", "y = torch.tanh(y)").replace(
        "from torch import", "import torch\nfrom torch import", 1
    )
    (diagnosis,) = checked("residual_block", written(tmp_path, "a", source), "en", server).diagnoses
    assert diagnosis.id == "operator"
    assert diagnosis.line == line_of(source, "tanh")
    assert all(word in diagnosis.message for word in ("3×3 conv", "ReLU", "tanh"))
    (diagnosis,) = checked("residual_block", written(tmp_path, "a", source), "zh", server).diagnoses
    assert CHINESE.search(diagnosis.message)


@pytest.mark.parametrize(
    ("name", "old", "new", "id_", "place", "words"),
    [
        ("lecture_residual", "nn.Linear(512, 10)", "nn.Linear(500, 10)", "linear_features", "self.fc(x)", ("500", "512", "x 3×512")),
        ("conv_shortcut", "channels, channels, kernel_size=1", "channels, 4, kernel_size=1", "sizes_meet", "y = x + y", ("4", "x 3×4×")),
        ("preactivation", "self.bn2(y)", "self.bn3(y)", "no_attribute", "self.bn3", ("bn3", "bn1, conv1")),
        ("dense_layer", "self.conv(y)", "self.conv(z)", "no_name", "self.conv(z)", ("`z`",)),
        ("transition", "super().__init__()", "pass", "no_super", "self.norm =", ("super().__init__()",)),
        ("bottleneck", "def forward", "def forwards", "no_forward", "", ("forward",)),
    ],
)
def test_what_is_raised_is_explained_at_its_line(
    server: Server, tmp_path: Path, name: str, old: str, new: str, id_: str, place: str, words: tuple[str, ...]
) -> None:
    source = edited(name, old, new)
    result = checked(name, written(tmp_path, "a", source), "en", server)
    assert result.status == "error"
    assert ids(result)[0] == id_
    assert result.diagnoses[-1].line == (line_of(source, place) if place else None)
    assert all(word in result.diagnoses[-1].message for word in words), result.diagnoses[-1].message


def test_a_branch_of_another_size_is_named(server: Server, tmp_path: Path) -> None:
    source = exercise("inception_a").mistake("no_padding_5x5").read_text(encoding="utf-8")
    result = checked("inception_a", written(tmp_path, "a", source), "en", server)
    call = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.cat")
    assert isinstance(call.args[0], ast.List)
    branches = [ast.unparse(part) for part in call.args[0].elts]
    found = re.search(r"\d+ meets \d+ in (\w+)\.", result.diagnoses[1].message)
    assert found
    assert found.group(1) in branches
    assert all(f"{branch} 3×" in result.diagnoses[1].message for branch in branches)


@pytest.mark.parametrize(
    ("text", "id_", "line"),
    [
        ("def broken(:\n", "syntax", 1),
        ("import torch\n\nboom = 1 / 0\n", "raised", 3),
        ("import no_such_module\n", "raised", 1),
        ("class Other:\n    pass\n", "no_callable", None),
        ("def ResidualBlock(channels):\n    return 3\n", "not_a_module", None),
        ("from torch import nn\nclass ResidualBlock(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n"
         "    def forward(self, x):\n        pass\n", "not_one_tensor", None),
        ("\0", "raised", None),
    ],
)  # fmt: skip
def test_a_broken_file_gets_one_clear_message(server: Server, tmp_path: Path, text: str, id_: str, line: int | None) -> None:
    for language in LANGUAGES:
        result = checked("residual_block", written(tmp_path, "a", text), language, server)
        assert ids(result) == [id_]
        assert line is None or result.diagnoses[0].line == line


@pytest.mark.parametrize("file", sorted(places.HOSTILE.glob("*.*")), ids=lambda file: file.stem)
def test_a_hostile_file_gets_a_clean_answer(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(checker, "SECONDS", 4.0)
    source = re.sub(r"\bNet\b", "ResidualBlock", file.read_text(encoding="utf-8"))
    source = re.sub(r"def __init__\(self\)", "def __init__(self, channels=3)", source)
    began = time.monotonic()
    result = checked("residual_block", written(tmp_path, "a", source), "en", server)
    assert result.status != "pass"
    assert all(0 < len(diagnosis.message) < 500 and "Traceback" not in diagnosis.message for diagnosis in result.diagnoses)
    assert time.monotonic() - began < 12


def test_weights_of_an_explicit_type_are_taken(server: Server, tmp_path: Path) -> None:
    source = (places.ANSWERS / "conv1x1" / "einsum_params.py").read_text(encoding="utf-8")
    typed = source.replace(").uniform_(", ", dtype=torch.float32).uniform_(")
    assert typed != source
    assert checked("conv1x1", written(tmp_path, "a", typed), "en", server).passed


def test_every_message_can_be_said_in_both_languages() -> None:
    for key, words in messages().items():
        fields = [set(re.findall(r"{(\w+)", text)) for text in (words.en, words.zh)]
        assert fields[0] == fields[1], key


def test_no_mistake_is_called_like_a_message() -> None:
    """A finding is one or the other by its key."""
    assert not {f"{name}/{key}" for name in names() for key in exercise(name).mistakes if key in messages()}


def test_what_runs_apart_knows_no_language(server: Server, tmp_path: Path) -> None:
    """It says what happened in values; each language has its own words for them, phrases within them included."""
    source = edited("residual_block", "y = self.conv1(x)", "y = x.tanh()")
    arguments = {"name": "residual_block", "file": str(written(tmp_path, "a", source))}
    (found,) = server.call("etude.practice.check:check", arguments)["findings"]
    assert found == {
        "key": "operator",
        "values": {
            "before": [{"key": "the_input", "values": {}, "line": None, "shapes": ""}],
            "want": "3×3 conv 6",
            "here": {"key": "follows", "values": {"have": "tanh"}, "line": None, "shapes": ""},
        },
        "line": line_of(source, "tanh"),
        "shapes": "",
    }
    english, chinese = (diagnosis(exercise("residual_block"), Finding(**found), language).message for language in LANGUAGES)
    assert english == "The numbers agree up to the input. What should come of it next is 3×3 conv 6; here tanh follows."
    assert chinese == "到 输入 为止数值都一致。接下来应当是 3×3 conv 6，这里却是 tanh。"


# ── The commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Path:
    """In a folder that was just begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert app.run(["practice", "start"]) == 0
    monkeypatch.chdir(tmp_path / "practice")
    return tmp_path / "practice"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = app.run(["practice", *arguments])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def solve(folder: Path, name: str) -> None:
    shutil.copy(exercise(name).solution, folder / f"{name}.py")


def test_a_learner_goes_from_exercise_to_exercise(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(file.stem for file in begun.glob("*.py")) == sorted(names())
    code, shown = run(capsys, "next")
    assert code == 0
    assert exercise("conv1x1").task("en") in shown
    code, shown = run(capsys, "check")
    assert code == 1
    assert "TODO" in shown
    solve(begun, "conv1x1")
    code, shown = run(capsys, "check")
    assert code == 0
    assert "Next: conv_cost" in shown
    code, shown = run(capsys, "list", "--json")
    assert {row["exercise"]: row["passed"] for row in json.loads(shown)} == {name: name == "conv1x1" for name in names()}
    code, shown = run(capsys, "list")
    assert "1 of 24 passed" in shown
    assert "__pycache__" not in {file.name for file in begun.iterdir()}


def test_hints_come_one_by_one(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (1, 2, 3, 3):
        code, shown = run(capsys, "hint", "densenet")
        assert code == 0
        assert [f"Hint {number} of 3" in shown for number in (1, 2, 3)] == [number <= count for number in (1, 2, 3)]
    assert "That was the last one" in shown
    assert "提示 1/3" in run(capsys, "hint", "densenet", "--lang", "zh")[1]


def test_the_solution_is_shown_only_after_passing(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "compare", "transition")
    assert code == 1
    assert "avg_pool2d" not in shown
    solve(begun, "transition")
    assert run(capsys, "check", "transition")[0] == 0
    code, shown = run(capsys, "compare", "transition")
    assert code == 0
    assert shown.count("class Transition") == 2


def test_reset_keeps_what_was_written(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("mine = 1\n", "mine = 2\n"):
        written(begun, "bottleneck", text)
        assert run(capsys, "reset", "bottleneck")[0] == 0
        assert (begun / "bottleneck.py").read_text(encoding="utf-8") == exercise("bottleneck").starting_file("en")
    assert [file.read_text(encoding="utf-8") for file in sorted(begun.glob("bottleneck.py.old*"))] == ["mine = 1\n", "mine = 2\n"]
    run(capsys, "reset", "bottleneck")
    assert len(list(begun.glob("bottleneck.py.old*"))) == 2, "a starting file needs no copy"


def test_starting_again_overwrites_nothing(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve(begun, "conv1x1")
    run(capsys, "check")
    (begun / "transition.py").unlink()
    code, shown = run(capsys, "start", ".", "--lang", "zh")
    assert code == 0
    assert "下一题：conv_cost" in shown
    assert Workbook(begun).works()["conv1x1"].passed
    assert CHINESE.search((begun / "transition.py").read_text(encoding="utf-8"))
    assert (begun / "conv1x1.py").read_bytes() == exercise("conv1x1").solution.read_bytes()


def test_progress_is_whole_or_as_it_was(begun: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    book = Workbook(begun)
    book.note("conv1x1", passed=True)
    before = (begun / STATE).read_bytes()

    def full(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        assert run(capsys, "hint", "densenet")[0] == 1
    assert (begun / STATE).read_bytes() == before
    assert sorted(file.name for file in begun.glob(".*")) == [STATE, f"{STATE}.lock"]


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"language": "fr", "exercises": {}}', '{"language": "en", "exercises": {"a": {"x": 1}}}']
)
def test_damaged_progress_is_said(begun: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    (begun / STATE).write_text(damage, encoding="utf-8")
    code, shown = run(capsys, "list")
    assert code == 1
    assert "the progress cannot be read" in shown


def test_lost_progress_is_found_again(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve(begun, "same_padding")
    (begun / STATE).unlink()
    run(capsys, "start", str(begun))
    assert run(capsys, "check", "--all")[0] == 1
    assert [name for name, work in Workbook(begun).works().items() if work.passed] == ["same_padding"]


def test_wrong_usage_ends_with_2(begun: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, word in [
        (["check", "residul_block"], "did you mean residual_block"),
        (["check", "conv1x1", "--file", "nowhere.py"], "no such file"),
        (["check", "--all", "--file", "x.py"], "--all"),
        (["check", "--folder", "."], "--all"),
        (["check", "--all", "--folder", "."], "no folder in it"),
        (["hint", "nope"], "no exercise"),
        (["check", "--lang", "de"], "lang"),
    ]:
        code, shown = run(capsys, *arguments)
        assert code == 2, arguments
        assert word in shown
    monkeypatch.chdir(begun.parent.parent)
    code, shown = run(capsys, "next")
    assert code == 2
    assert "etude practice start" in shown


def test_json_is_as_promised(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exercise("inception_a").mistake("no_padding_5x5")
    code, shown = run(capsys, "check", "inception_a", "--file", str(file), "--json")
    plain = json.loads(shown)
    assert code == 1
    assert list(plain) == ["exercise", "status", "diagnoses", "seconds"]
    assert (plain["exercise"], plain["status"]) == ("inception_a", "error")
    assert plain["diagnoses"][0] == {"id": "no_padding_5x5", "message": exercise("inception_a").mistakes["no_padding_5x5"].en} | {
        "line": plain["diagnoses"][1]["line"]
    }
    code, shown = run(capsys, "check", "--file", str(begun / "conv_cost.py"), "--json")
    assert (code, json.loads(shown)["exercise"]) == (1, "conv_cost"), "the file's name says which exercise"


def test_a_class_is_checked_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], quick: None) -> None:
    for learner, taken in (("anna", "solution"), ("bo", "mistake")):
        (tmp_path / learner).mkdir()
        for name in ("residual_block", "same_padding"):
            task = exercise(name)
            shutil.copy(task.solution if taken == "solution" else task.mistake(sorted(task.mistakes)[0]), tmp_path / learner / f"{name}.py")
    written(tmp_path / "bo", "transition", exercise("transition").starting_file("zh"))
    (tmp_path / "notes").mkdir()
    code, shown = run(capsys, "check", "--all", "--folder", str(tmp_path), "--lang", "en")
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip().startswith(("anna", "bo"))}
    assert code == 1
    assert "✓" in next(line for line in shown.splitlines() if line.strip().startswith("anna") and "✓" in line)
    assert sorted(exercise("residual_block").mistakes)[0] in shown
    assert set(rows) == {"anna", "bo"}
    code, shown = run(capsys, "check", "--all", "--folder", str(tmp_path), "--json")
    plain = json.loads(shown[shown.index("[") :])
    assert [(row["learner"], [one["status"] for one in row["exercises"]]) for row in plain] == [
        ("anna", ["pass", "pass"]),
        ("bo", ["fail", "fail", "fail"]),
    ]


def test_watch_sees_every_save(begun: Path) -> None:
    book, changes = Workbook(begun), ["conv_cost", "densenet", "gone"]

    def sleep(_: float) -> None:
        name = changes.pop(0)
        if name == "gone":
            (begun / "conv_cost.py").unlink()
            changes.append("conv_cost")
        else:
            written(begun, name, f"# {len(changes)}\n")

    saves = commands.saved(book, sleep)
    assert [next(saves), next(saves), next(saves)] == ["conv_cost", "densenet", "conv_cost"]


def test_watch_checks_what_is_saved_and_goes_on(
    begun: Path, capsys: pytest.CaptureFixture[str], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def saved(book: Workbook) -> Iterator[str]:
        yield "conv1x1"
        solve(begun, "conv1x1")
        yield "conv1x1"
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "saved", saved)
    code, shown = run(capsys, "watch")
    assert code == 130
    assert shown.index("not yet: conv1x1") < shown.index("passed: conv1x1") < shown.rindex("Next: conv_cost")
    assert Workbook(begun).works()["conv1x1"].checks == 2


@pytest.mark.parametrize(("locale", "language"), [("zh_CN.UTF-8", "zh"), ("zh", "zh"), ("en_US.UTF-8", "en"), ("de_DE", "en"), ("C", "en")])
def test_the_language_is_that_of_the_locale(monkeypatch: pytest.MonkeyPatch, locale: str, language: str) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert language_here() == language


def test_looking_around_imports_no_torch(begun: Path) -> None:
    code = "import sys; from etude.cli.app import run; code = run(sys.argv[1:]); sys.exit(code or 3 * ('torch' in sys.modules))"
    for arguments in (["list"], ["next"], ["hint"], ["reset", "densenet"]):
        done = subprocess.run([sys.executable, "-c", code, "practice", *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr or "torch was imported"


@pytest.mark.parametrize(("name", "seconds"), [("googlenet_inception", 5), ("densenet", 10)])
def test_a_check_is_quick(name: str, seconds: float) -> None:
    """Start-up included; a mistake takes longer than a right answer."""
    id_ = sorted(exercise(name).mistakes)[-1]
    file = exercise(name).mistake(id_)
    done = subprocess.run(
        [sys.executable, "-m", "etude", "practice", "check", name, "--file", str(file), "--json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    result = json.loads(done.stdout)
    assert (done.returncode, result["diagnoses"][0]["id"]) == (1, id_)
    assert result["seconds"] < seconds


def test_the_walk_of_the_page_is_what_happens(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("walk", places.ROOT / "docs" / "walk.py")
    assert spec is not None
    assert spec.loader is not None
    walk = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(walk)

    def without_seconds(text: str) -> str:
        return re.sub(r"\d+\.\d( s|\s*秒)", r"…\1", text)

    page = without_seconds(walk.PAGE.read_text(encoding="utf-8"))
    assert without_seconds(walk.page()) == page, "run: python docs/walk.py"
    readme = (places.ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\n(\$ etude practice .*?)```", readme, flags=re.DOTALL)
    assert without_seconds(shown) in page
