"""`practice` passes what is right in whatever style, names the mistake that was made, and refuses everything else."""

import ast
import contextlib
import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

import mutants
import places
import shell
from etude.cli import watching
from etude.cli.keys import Wait
from etude.explain.findings import Finding
from etude.practice import checker
from etude.practice.checker import Checked, Outcome, checked, outcome, side_by_side
from etude.practice.exercises import LANGUAGES, exercise, names
from etude.practice.sources import merged
from etude.practice.words import diagnosis
from etude.practice.workbook import STATE, Workbook
from etude.verification.apart import Server
from sentences import repeats_itself
from slips import SLIPS

ANSWERS, WRONG = (sorted(places.ANSWERS.glob(pattern)) for pattern in ("*/*.py", "*/wrong/*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def both_sides_differ(found: Outcome) -> bool:
    return not any(repeats_itself(message) for language in LANGUAGES for message in messages_of(found.said(language)))


def messages_of(result: Checked) -> list[str]:
    return [diagnosis.message for diagnosis in result.diagnoses]


def ids(result: Checked) -> list[str]:
    return [diagnosis.id for diagnosis in result.diagnoses]


# ── Every exercise ───────────────────────────────────────────────────────────────────────────────────────────────────


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
        found = outcome(name, task.mistake(id_), server)
        result = found.said(language)
        assert ids(result)[:1] == [id_], f"{id_}: {result.diagnoses}"
        assert both_sides_differ(found), found.findings
        assert result.diagnoses[0].message == message[language]
        assert len(result.diagnoses) == (2 if result.status == "error" else 1)


# ── Right answers, wrong answers ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", ANSWERS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_right_answer_passes_in_whatever_style(server: Server, file: Path) -> None:
    result = checked(file.parent.name, file, "en", server)
    assert result.passed, result.diagnoses


@pytest.mark.parametrize("file", WRONG, ids=lambda file: f"{file.parents[1].name}-{file.stem}")
def test_a_wrong_answer_is_told_what_is_certain(server: Server, file: Path) -> None:
    """The ids of what is said stand in the file's first line."""
    found = outcome(file.parents[1].name, file, server)
    result = found.said("en")
    assert " ".join(ids(result)) == file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# "), result.diagnoses
    assert both_sides_differ(found), found.findings


MANY_SECONDS = 300  # where others compute as well
MUTANTS = mutants.drawn(40, seed=6)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.exercise}-{mutant.operator}")
def test_a_mutant_passes_only_where_it_is_the_same_function(server: Server, tmp_path: Path, mutant: mutants.Mutant) -> None:
    found = outcome(mutant.exercise, written(tmp_path, mutant.exercise, mutant.source), server, seconds=MANY_SECONDS)
    result = found.said("en")
    assert result.passed != mutants.differs(mutant), result.diagnoses
    assert both_sides_differ(found), found.findings


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
        ("downsampling_block", "pooled_shortcut", "no_last_relu"),
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
        ("lecture_residual", "x = x.flatten(1)", "x.flatten(1)", "result_dropped", "x.flatten(1)", ("`x.flatten(1)`", "512")),
        ("conv_shortcut", "channels, channels, kernel_size=1", "channels, 4, kernel_size=1", "sizes_meet", "y = x + y", ("4", "x 3×4×")),
        ("preactivation", "self.bn2(y)", "self.bn3(y)", "no_attribute", "self.bn3", ("bn3", "bn1, conv1")),
        ("dense_layer", "self.conv(y)", "self.conv(z)", "no_name", "self.conv(z)", ("`z`",)),
        ("transition", "super().__init__()", "pass", "no_super", "self.norm =", ("super().__init__()",)),
        ("bottleneck", "def forward", "def forwards", "method_misspelt", "def forwards", ("`forwards`", "`forward`")),
        ("bottleneck", "def forward", "def run", "no_forward", "", ("forward",)),
    ],
)
def test_what_is_raised_is_explained_at_its_line(
    server: Server, tmp_path: Path, name: str, old: str, new: str, id_: str, place: str, words: tuple[str, ...]
) -> None:
    source = edited(name, old, new)
    result = checked(name, written(tmp_path, "a", source), "en", server)
    assert result.status == "error"
    first = result.diagnoses[0]
    assert (first.id, result.first) == (id_, True)
    assert first.line == (line_of(source, place) if place else None)
    assert all(word in first.message for word in words), first.message


@pytest.mark.parametrize(
    ("name", "old", "new", "id_"),
    [
        ("inception_a", "avg_pool2d(x, kernel_size=3, stride=1, ", "avg_pool2d(x, kernel_size=3, ", "pool_stride"),
        ("inception_a", "avg_pool2d(x, kernel_size=3, stride=1, ", "avg_pool2d(x, kernel_size=3, stride=2, ", "operator"),
        ("googlenet_inception", "kernel_size=3, stride=1, padding=1)", "kernel_size=2, stride=1, padding=1)", "operator"),
    ],
)
def test_a_wrong_pool_is_told_at_its_own_line(server: Server, tmp_path: Path, name: str, old: str, new: str, id_: str) -> None:
    """And not only where the branches come together, which is where torch refuses."""
    source = edited(name, old, new)
    result = checked(name, written(tmp_path, "a", source), "en", server)
    lines = {diagnosis.id: diagnosis.line for diagnosis in result.diagnoses}
    assert lines == {id_: line_of(source, "_pool2d("), "cat_sizes": line_of(source, "torch.cat")}


def test_only_what_need_not_be_all_is_said_to_be_the_first(server: Server, tmp_path: Path) -> None:
    """Where the answer is a known mistake, or two, nothing else is wrong with it."""
    answers = [
        ("inception_a", both("inception_a", "maxpool", "reducer_3x3")),
        ("residual_block", edited("residual_block", "y = F.relu(y)", "y = y.tanh()")),
        ("conv_cost", "def conv_macs(*sizes): return 1"),
        ("conv_cost", "def conv_macs(:"),
    ]
    said = [checked(name, written(tmp_path, "a", source), "en", server).sentences[-1] for name, source in answers]
    assert ["found first" in sentence for sentence in said] == [False, True, True, True]


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
        ("import torch\n\nboom = 1 / 0\nResidualBlock = boom + 1\n", "raised", 3),
        ("import no_such_module\nclass ResidualBlock(no_such_module.Block):\n    pass\n", "raised", 1),
        ("class Other:\n    pass\n", "named_otherwise", 1),
        ("class One:\n    pass\nclass Two:\n    pass\n", "no_callable", None),
        ("x = 3\n", "nothing_defined", None),
        ("def ResidualBlock(channels):\n    return 3\n", "not_a_module", None),
        ("from torch import nn\nclass ResidualBlock(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n"
         "    def forward(self, x):\n        pass\n", "returns_nothing", 5),
        ("\0", "raised", None),
        ("from no_such_module import rearrange\nfrom torch import nn\nclass ResidualBlock(nn.Module):\n    def __init__(self, c):\n"
         "        super().__init__()\n    def forward(self, x):\n        return rearrange(x)\n", "raised", 1),
    ],
)  # fmt: skip
def test_a_broken_file_gets_one_clear_message(server: Server, tmp_path: Path, text: str, id_: str, line: int | None) -> None:
    for language in LANGUAGES:
        result = checked("residual_block", written(tmp_path, "a", text), language, server)
        assert ids(result) == [id_]
        assert line is None or result.diagnoses[0].line == line
        assert "CouldNotBeMade" not in result.diagnoses[0].message


@pytest.mark.parametrize("before", ["", "import torch\n\n\n"])
def test_a_file_in_another_encoding_is_said_to_be_in_one(server: Server, tmp_path: Path, before: str) -> None:
    """Python says something else of the first two lines, where an encoding may be declared."""
    file = written(tmp_path, "a", "")
    file.write_bytes((before + "# 残差块\n").encode("gbk"))
    result = checked("residual_block", file, "en", server)
    assert ids(result) == ["not_utf8"]


def test_layers_that_are_made_on_the_way_are_taken(server: Server, tmp_path: Path) -> None:
    source = """
from torch import nn
class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.one = None
        self.two = nn.Conv2d(channels, channels, 3, padding=1)
    def forward(self, x):
        if self.one is None:
            self.one = nn.Conv2d(x.shape[1], x.shape[1], 3, padding=1)
        return (x + self.two(self.one(x).relu())).relu()
"""
    assert checked("residual_block", written(tmp_path, "a", source), "en", server).passed


@pytest.mark.parametrize("file", sorted(places.HOSTILE.glob("*.*")), ids=lambda file: file.stem)
def test_a_hostile_file_gets_a_clean_answer(server: Server, tmp_path: Path, file: Path) -> None:
    source = re.sub(r"\bNet\b", "ResidualBlock", file.read_text(encoding="utf-8"))
    source = re.sub(r"def __init__\(self\)", "def __init__(self, channels=3)", source)
    seconds = 2.0 if file.stem == "loops" else checker.SECONDS
    result = checked("residual_block", written(tmp_path, "a", source), "en", server, seconds)
    assert result.status != "pass"
    assert all(0 < len(diagnosis.message) < 500 and "Traceback" not in diagnosis.message for diagnosis in result.diagnoses)


def test_a_loop_without_an_end_is_placed_in_its_own_file(server: Server, tmp_path: Path) -> None:
    """By its line in a script, by its cell in a notebook; one in a file beside the answer is at none of the answer's lines."""
    source = edited("transition", "x = F.relu", "while True: pass\n        x = F.relu")
    here = next(number for number, line in enumerate(source.splitlines(), 1) if "while True" in line)
    script = tmp_path / "linked.py"
    try:
        script.symlink_to(written(tmp_path, "loop", source))
    except OSError:  # as Windows has it for most people
        script = tmp_path / "loop.py"
    cells = [{"cell_type": "code", "source": text} for text in ("# a note\nwidth = 3", source)]
    notebook = tmp_path / "loop.ipynb"
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    for file, cell in ((script, None), (notebook, 2)):
        (found,) = checked("transition", file, "en", server, 2.0).diagnoses
        assert (found.line, found.cell) == (here, cell), found.message
    written(tmp_path, "helper", "def wait(x):\n    while True:\n        x = x + 1\n")
    beside = written(tmp_path, "answer", "import helper\n" + edited("transition", "x = F.relu", "helper.wait(1)\n        x = F.relu"))
    (found,) = checked("transition", beside, "en", server, 2.0).diagnoses
    assert found.line is None and "2 s" in found.message, found.message


def test_weights_of_an_explicit_type_are_taken(server: Server, tmp_path: Path) -> None:
    source = (places.ANSWERS / "conv1x1" / "einsum_params.py").read_text(encoding="utf-8")
    typed = source.replace(").uniform_(", ", dtype=torch.float32).uniform_(")
    assert typed != source
    assert checked("conv1x1", written(tmp_path, "a", typed), "en", server).passed


def test_what_is_converted_to_float32_on_the_way_is_taken(server: Server, tmp_path: Path) -> None:
    """Though it runs in float64."""
    source = edited("residual_block", "y = self.conv1(x)", "y = self.conv1(x.float())")
    assert checked("residual_block", written(tmp_path, "a", source), "en", server).passed


def test_what_runs_apart_knows_no_language(server: Server, tmp_path: Path) -> None:
    """It says what happened in values; each language has its own words for them, phrases within them included."""
    source = edited("residual_block", "y = self.conv1(x)", "y = x.tanh()")
    arguments = {"name": "residual_block", "file": str(written(tmp_path, "a", source))}
    (found,) = server.call("etude.practice.judging:check", arguments)["findings"]
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
    assert chinese == "到输入为止数值都一致。接下来应当是 3×3 conv 6，这里却是 tanh。"


# ── The commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def begun(begun: Path, quick: None) -> Path:
    """In which commands check in the process that is warm already."""
    return begun


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code, out, err = shell.run(capsys, "practice", *arguments)
    return code, out + err


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


def test_the_solution_is_shown_only_after_passing(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "compare", "transition")
    assert code == 1
    assert "avg_pool2d" not in shown
    solve(begun, "transition")
    assert run(capsys, "check", "transition")[0] == 0
    code, shown = run(capsys, "compare", "transition")
    assert code == 0
    assert shown.count("class Transition") == 2


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


def test_lost_progress_is_found_again(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve(begun, "same_padding")
    (begun / STATE).unlink()
    run(capsys, "start", str(begun))
    assert run(capsys, "check", "--all")[0] == 1
    assert [name for name, work in Workbook(begun).works().items() if work.passed] == ["same_padding"]


def test_json_is_as_promised(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = exercise("inception_a").mistake("no_padding_5x5")
    code, shown = run(capsys, "check", "inception_a", "--file", str(file), "--json")
    plain = json.loads(shown)
    assert code == 1
    assert list(plain) == ["exercise", "status", "diagnoses", "seconds"]
    assert (plain["exercise"], plain["status"]) == ("inception_a", "error")
    assert plain["diagnoses"][0] == {"id": "no_padding_5x5", "message": exercise("inception_a").mistakes["no_padding_5x5"].en} | {
        "line": line_of(file.read_text(encoding="utf-8"), "self.conv5x5(c)")
    }
    code, shown = run(capsys, "check", "--file", str(begun / "conv_cost.py"), "--json")
    assert (code, json.loads(shown)["exercise"]) == (1, "conv_cost"), "the file's name says which exercise"


@pytest.mark.parametrize(
    ("file", "en", "zh", "plain"),
    [
        ("lecture_residual.py", "line 24: ", "第 24 行：", {"line": 24}),
        ("homework.ipynb", "cell 2, line 11: ", "第 2 个单元格第 11 行：", {"line": 11, "cell": 2}),
    ],
)
def test_the_class_is_found_in_a_script_that_trains(
    tmp_path: Path, quick: None, capsys: pytest.CaptureFixture[str], file: str, en: str, zh: str, plain: dict[str, int]
) -> None:
    copy, source = tmp_path / file, (places.SCRIPTS / file).read_text(encoding="utf-8")
    check = ("check", "residual_block", "--file", str(copy))
    copy.write_text(source, encoding="utf-8")
    code, shown = run(capsys, *check, "--lang", "en")
    assert (code, shown.partition(" (")[0]) == (0, "passed: residual_block")
    copy.write_text(source.replace("y = self.conv2(y)", "y = F.relu(self.conv2(y))"), encoding="utf-8")
    assert en in run(capsys, *check, "--lang", "en")[1]
    assert zh in run(capsys, *check, "--lang", "zh")[1]
    (diagnosis,) = json.loads(run(capsys, *check, "--json")[1])["diagnoses"]
    assert diagnosis == {key: diagnosis[key] for key in ("id", "message")} | plain
    assert [left.name for left in tmp_path.iterdir()] == [file]


def test_a_class_is_checked_in_one_command(tmp_path: Path, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Files by other names and one folder down, paths that are no files, and what the class gets wrong."""
    for learner in ("anna", "bo", "cy/homework"):
        (tmp_path / learner).mkdir(parents=True)
        for name in ("residual_block", "same_padding"):
            task = exercise(name)
            file = task.solution if learner == "anna" else task.mistake(sorted(task.mistakes)[0])
            shutil.copy(file, tmp_path / learner / f"{name}.py")
    written(tmp_path / "bo", "Transition (1)", exercise("transition").starting_file("zh"))
    (tmp_path / "bo" / "conv1x1.py").mkdir()
    (tmp_path / "cy" / "densenet.py").symlink_to(tmp_path / "gone.py")
    written(tmp_path / "cy", "plan", "")
    (tmp_path / "notes").mkdir()
    code, shown = run(capsys, "check", "--all", "--folder", str(tmp_path), "--lang", "en")
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip().startswith(("anna ", "bo ", "cy ", "∑"))}
    first = sorted(exercise("residual_block").mistakes)[0]
    assert code == 1
    assert any(line.split()[:1] == ["anna"] and "✓" in line for line in shown.splitlines())
    assert set(rows) == {"anna", "bo", "cy", "∑"}
    assert rows["∑"] == ["1", "1", "2"]
    assert {f"bo  residual_block  {first}", "bo  conv1x1  no_file", "cy  densenet  broken_link"} <= set(shown.splitlines())
    assert f"{Path('cy', 'plan.py')}: not checked" in shown
    assert re.search(rf"2 +residual_block +{first}", shown[shown.index("Most frequent") :])
    code, shown = run(capsys, "check", "--all", "--folder", str(tmp_path), "--json")
    plain = json.loads(shown[shown.index("[") :])
    assert [(row["learner"], [one["status"] for one in row["exercises"]], row.get("not_recognised")) for row in plain] == [
        ("anna", ["pass", "pass"], None),
        ("bo", ["error", "fail", "fail", "fail"], None),
        ("cy", ["fail", "fail", "error"], ["plan.py"]),
    ]


def test_one_that_does_not_end_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, others = [], Event()

    def outcome(name: str, file: Path, *_: object) -> Outcome:
        if file.name == "slow.py":
            assert others.wait(60)
        ended.append(file.name)
        if len(ended) == 2:
            others.set()
        return Outcome(name, file, "pass", (), 0.0)

    monkeypatch.setattr(checker, "warm", contextlib.nullcontext)
    monkeypatch.setattr(checker, "at_once", lambda: 2)
    monkeypatch.setattr(checker, "outcome", outcome)
    files = [Path("slow.py"), Path("one.py"), Path("two.py")]
    assert [found.file for found in side_by_side([("conv1x1", file) for file in files])] == files
    assert ended == ["one.py", "two.py", "slow.py"]


# ── Slips ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_slip_gets_its_own_message_in_both_languages(server: Server, tmp_path: Path) -> None:
    """One for each message; all of them are on the page docs/messages.md."""
    for number, slip in enumerate({slip.key: slip for slip in SLIPS}.values()):
        (tmp_path / str(number)).mkdir()
        found = outcome(slip.name, written(tmp_path / str(number), slip.name, slip.source), server)
        assert slip.key in {finding.key for finding in found.findings}, f"{slip}: {found.findings}"
        said = {language: next(one for one in found.said(language).diagnoses if one.id == slip.key) for language in LANGUAGES}
        assert slip.line in (None, said["en"].line), slip
        assert all(word in said[language].message for word in slip.says for language in LANGUAGES), said
        assert CHINESE.search(said["zh"].message)
        assert not CHINESE.search(said["en"].message)


def test_watch_checks_at_once_and_what_is_saved(begun: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A start, a save, a file by another name, keys; leaving is no error."""
    solve(begun, "conv1x1")
    Workbook(begun).note("conv_cost", True)

    def next_key(waited: list[float] = []) -> str:  # noqa: B006
        waited.append(0)
        match len(waited):
            case 1:
                written(begun, "same_padding", exercise("same_padding").mistake("minus_one_last").read_text(encoding="utf-8"))
            case 2:
                written(begun, "SamePadding", "x = 1\n")
            case 3:
                return "h"
            case 4:
                return "n"
            case 5:
                raise KeyboardInterrupt
        return ""

    @contextlib.contextmanager
    def keys() -> Iterator[Wait]:
        yield lambda _: next_key()

    monkeypatch.setattr(watching, "keys", keys)
    code, shown = run(capsys, "watch", "--lang", "en")
    assert code == 0
    parts = ("passed: conv1x1", "2 of 24 passed", exercise("same_padding").task("en"), "not yet: same_padding", "Keys: h",
             exercise("same_padding").mistakes["minus_one_last"].en[:40], "SamePadding.py was saved", "Hint 1 of 3",
             exercise("inception_a").task("en"), "2 of 24 passed")  # fmt: skip
    at = 0
    for part in parts:
        at = shown.index(part, at) + 1
    assert Workbook(begun).work("same_padding").checks == 1, "only what was saved counts as tried"


def test_what_has_passed_and_was_broken_has_passed_no_longer(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve(begun, "transition")
    run(capsys, "check", "transition")
    source = (begun / "transition.py").read_text(encoding="utf-8")
    for text, passed, changed in ((f"# mine\n{source}", True, False), (source.replace("avg_pool2d", "max_pool2d"), False, True)):
        written(begun, "transition", text)
        row = next(row for row in json.loads(run(capsys, "list", "--json")[1]) if row["exercise"] == "transition")
        assert (row["passed"], row["changed"]) == (passed, changed)
    assert "changed since it passed" in run(capsys, "list")[1]
    run(capsys, "check", "transition")
    assert "changed since" not in run(capsys, "list")[1]
    assert run(capsys, "compare", "transition")[0] == 0, "who has once solved it may look"


def test_what_the_code_prints_is_shown_in_short(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = 'print(x.shape, "\\x1b[2J\\u202e", "x" * 500)\n        for i in range(1000): print("line", i)\n        '
    written(begun, "transition", edited("transition", "x = F.relu", f"{noise}x = F.relu"))
    code, shown = run(capsys, "check", "transition", "--json")
    printed = json.loads(shown)["printed"]
    assert (code, len(printed), printed[-1]) == (0, 21, "…")
    assert printed[0].startswith("torch.Size([3, 7, 9, 6]) \\x1b[2J\\u202e xxx")
    assert max(map(len, printed)) <= 201
    assert "Your code printed" in run(capsys, "check", "transition")[1]
    written(begun, "transition", edited("transition", "x = F.relu", 'print("here")\n        while True: pass\n        x = F.relu'))
    (result,) = [json.loads(run(capsys, "check", "transition", "--seconds", "2", "--json")[1])]
    assert (result["diagnoses"][0]["id"], result["printed"]) == ("time", ["here"])


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
