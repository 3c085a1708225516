"""`verify` accepts what is faithful in whatever style, refuses every planted departure, and names the place."""

import ast
import json
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest

import places
import shell
from etude.models import registry
from etude.practice.exercises import exercise
from etude.verification import apart
from etude.verification.apart import Failed, Server
from etude.verification.verdict import Verification
from etude.views.verification import verification_view
from sentences import equal_on_both_sides
from translated import english_in

FAITHFUL, DEPARTS, CLASSIC = (sorted((places.FOREIGN / folder).glob("[!h]*.py")) for folder in ("faithful", "departs", "classic"))


CONSTANTS = ("AGAINST", "OPTIONS", "INPUT", "CALLABLE", "PLANTED", "WHERE", "KINDS")


def constants(file: Path) -> dict[str, Any]:
    """The plain constants at the top of a file, without importing it."""
    found = {}
    for line in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and line.targets[0].id in CONSTANTS:
            found[line.targets[0].id] = ast.literal_eval(line.value)
    return found


def checked(server: Server, file: Path) -> tuple[Verification, dict[str, Any]]:
    known = constants(file)
    own = tuple(known["INPUT"]) == registry.row(known["AGAINST"]).input
    arguments = {
        "target": f"{file}:{known['CALLABLE']}",
        "against": known["AGAINST"],
        "options": known["OPTIONS"],
        "input_shape": None if own else known["INPUT"],
    }
    report = Verification.from_dict(server.call("etude.verification.request:check", arguments, seconds=120))
    assert not equal_on_both_sides(report.sentence)
    assert not [sentence for _, sentence in report.departures if equal_on_both_sides(sentence)]
    assert english_in(verification_view(report)) == set()
    return report, known


# ── Foreign files, written by someone who had not seen the matcher ───────────────────────────────────────────────────


def test_there_are_enough_foreign_files() -> None:
    assert len(FAITHFUL) >= 20
    assert len(DEPARTS) >= 40
    assert len(CLASSIC) == 10


@pytest.mark.parametrize("file", FAITHFUL, ids=lambda file: file.stem)
def test_a_faithful_file_is_accepted(server: Server, file: Path) -> None:
    report, _ = checked(server, file)
    assert report.verdict == "faithful", report.sentence
    assert {level.state for level in report.levels if level.id not in ("L1", "L2")} == {"pass"}


DEPARTING = [*DEPARTS, *CLASSIC]
NOT_PLACED = {  # refused, but at another place than the planted, or in other words
    "labml_resnet",
    "preact_resnet110_relu_after",
    "resnet20_coarse_pool",
}
NAMED = {"bottleneck_v15": "resnet50@v15", "cifar_resnet18": "resnet18@cifar"}  # they are no network of the paper, and one of ours


@pytest.mark.parametrize("file", DEPARTING, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_planted_departure_is_refused_and_placed(server: Server, file: Path) -> None:
    report, known = checked(server, file)
    assert report.verdict == "departs", report.sentence
    place = report.place.replace("norm1", "conv1")  # the stem's normalisation belongs to its convolution
    placed = place.startswith(known["WHERE"]) and any(kind in report.sentence for kind in known["KINDS"])
    assert placed == (file.stem not in NOT_PLACED), f"{report.place}: {report.sentence}"
    assert report.variant == NAMED.get(file.stem, report.variant)


def test_nine_planted_places_of_ten_are_named() -> None:
    assert len(NOT_PLACED) <= len(DEPARTING) / 10
    assert {file.stem for file in DEPARTING} >= NOT_PLACED


# ── On the command line ──────────────────────────────────────────────────────────────────────────────────────────────


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    return shell.run(capsys, "verify", *arguments)


def could_not_judge(capsys: pytest.CaptureFixture[str], name: str, seconds: int) -> str:
    """The sentence."""
    target = f"{places.HOSTILE / name}.py:Net"
    code, out, err = run(capsys, target, "--against", "resnet20", "--set", "depth=8", "--seconds", str(seconds), "--json")
    assert err == ""
    report = json.loads(out)
    assert (code, report["verdict"]) == (3, "could not judge")
    assert len(report["sentence"].splitlines()) == 1
    assert len(report["sentence"]) < 400
    return str(report["sentence"])


@pytest.mark.parametrize("name", sorted(file.stem for file in places.HOSTILE.glob("*.py")))
def test_a_hostile_file_gets_one_clear_answer(capsys: pytest.CaptureFixture[str], quick: None, name: str) -> None:
    sentence = could_not_judge(capsys, name, 2 if name == "loops" else 60)
    if name == "loops":
        assert sentence == "the code ran longer than the limit of 2 s and was stopped (loops.py line 9); --seconds gives it more"
    if name == "huge":
        assert sentence.endswith("needs more memory than the limit of 8192 MB (huge.py line 10); --memory gives it more")


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("lecture_residual", 60), ("resnet110", 60), ("resnet164", 83), ("resnet18", 136), ("resnet1001", 300), ("resnet152", 300)],
)
def test_the_limit_follows_the_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, seconds: int
) -> None:
    def call(function: str, arguments: dict[str, Any], *, seconds: float, megabytes: int) -> NoReturn:
        raise Failed(f"limit of {seconds:.0f} s", "time")

    monkeypatch.setattr(apart, "call", call)
    for given, used in (((), seconds), (("--seconds", "2.5"), 2)):
        code, out, _ = run(capsys, name, "--against", name, *given, "--json")
        assert (code, json.loads(out)["sentence"]) == (3, f"limit of {used} s; --seconds gives it more")


def test_so_it_does_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    could_not_judge(capsys, "huge", 60)


def test_a_faithful_network_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "resnet20(depth=8)", "--against", "resnet20", "--set", "depth=8")
    assert code == 0
    assert "faithful: all 30 operators of resnet20(depth=8)" in " ".join(out.split())
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100


@pytest.mark.parametrize(
    ("target", "against", "more"),
    [
        ("lecture_residual.py", "lecture_residual", ()),
        ("lecture.ipynb", "lecture_residual", ()),
        ("cifar_resnet_argparse.py:ResNet", "resnet20", ("--set", "block=BasicBlock", "--set", "num_blocks=[1,1,1]", "--set", "depth=8")),
    ],
)
def test_a_script_is_judged_and_does_not_train(
    capsys: pytest.CaptureFixture[str], quick: None, target: str, against: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    """From a copy, in whose folder the training would leave files behind; a word that is no option of the network is the constructor's."""
    file, _, name = target.partition(":")
    shutil.copy(places.SCRIPTS / file, tmp_path)
    code, out, _ = run(capsys, f"{tmp_path}/{target}", "--against", against, *more, "--json")
    report = json.loads(out)
    assert (code, report["verdict"]) == (0, "faithful")
    assert report["target"] == f"{tmp_path}/{file}:{name or 'Net'}"
    assert report["notes"][-1].endswith(f"are not needed for {name or 'Net'} and were not run")
    assert [left.name for left in tmp_path.iterdir()] == [file]


def test_a_file_that_is_not_there_departs_from_nothing(capsys: pytest.CaptureFixture[str], quick: None) -> None:
    for target in ("gone.py", "gone.ipynb:Net"):
        code, out, _ = run(capsys, target, "--against", "resnet20")
        assert code == 3
        assert "no such file" in out


def test_all_of_a_file_runs_on_request(capsys: pytest.CaptureFixture[str], quick: None, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("from torch import nn\nclass Net(nn.Sequential): pass\nopen(__file__ + '.ran', 'w').close()\n", encoding="utf-8")
    notes = [json.loads(run(capsys, str(file), "--against", "resnet20", *more, "--json")[1])["notes"] for more in ((), ("--run-all",))]
    assert notes == [["line 3 is not needed for Net and was not run"], []]
    assert (tmp_path / "net.py.ran").exists()


def test_another_size_of_image(capsys: pytest.CaptureFixture[str], quick: None) -> None:
    arguments = ("resnet20(depth=8)", "--against", "resnet20", "--set", "depth=8", "--input", "3x24x24", "--json")
    code, out, _ = run(capsys, *arguments)
    levels = {level["id"]: level["state"] for level in json.loads(out)["levels"]}
    assert (code, levels["L2"], levels["L4"]) == (0, "n/a", "pass")


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        (
            "super().__init__()",
            "pass",
            1,
            "the constructor must call `super().__init__()`, with both pairs of brackets, before it sets a layer (net.py line",
        ),
        ("x = x.flatten(1)", "x.flatten(1)", 1, "`x.flatten(1)` changes nothing by itself: its result must be kept"),
        ("nn.Linear(512, 10)", "nn.Linear(512, 100)", 0, "all 18 operators of lecture_residual"),
    ],
)
def test_a_slip_is_told_at_its_line(
    capsys: pytest.CaptureFixture[str], quick: None, tmp_path: Path, old: str, new: str, code: int, sentence: str
) -> None:
    source = exercise("lecture_residual").solution.read_text(encoding="utf-8")
    assert old in source
    (tmp_path / "net.py").write_text(source.replace(old, new), encoding="utf-8")
    found, out, _ = run(capsys, f"{tmp_path / 'net.py'}:LectureResidual", "--against", "lecture_residual", "--json")
    report = json.loads(out)
    assert (found, report["adapted"]) == (code, ["100 classes in place of 10"] if code == 0 else [])
    assert sentence in report["sentence"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnt20", "--against", "resnet20"), "no model `resnt20`; did you mean resnet20"),
        (("resnet20", "--against", "resnt20"), "no model `resnt20`; did you mean resnet20"),
        (("resnet20",), "against"),
        (("resnet20", "--against", "resnet20", "--set", "norm=none"), "has no `norm` for resnet20"),
        (("resnet20", "--against", "resnet20", "--set", "against=3"), "has no `against` for resnet20"),
        ((f"{places.SCRIPTS}/two_networks.py", "--against", "resnet20"), "which network? ResNet (line 42), ScaledNet (line 54)"),
        (("nowhere_at_all:Net", "--against", "resnet20"), "no module `nowhere_at_all`"),
        (("resnet20(depth=", "--against", "resnet20"), "expected plain values as arguments"),
    ],
)
def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str], quick: None, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


# ── Which network it is ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "code", "sentence"),
    [
        (f"{places.SCRIPTS}/lecture_residual.py", 0, "it is lecture_residual: the lecture's residual network"),
        (f"{places.FOREIGN}/departs/lecture_residual_gelu.py", 1, "it is no registered network; the nearest is lecture_residual:"),
        (f"{places.HOSTILE}/raises.py:Net", 3, ""),
    ],
)
def test_a_file_is_identified(capsys: pytest.CaptureFixture[str], quick: None, target: str, code: int, sentence: str) -> None:
    found, out, err = shell.run(capsys, "identify", target, "--json")
    assert (found, err) == (code, "")
    assert json.loads(out)["sentence"].startswith(sentence)
    if code == 0:
        assert "are not needed for Net and were not run" in json.loads(out)["notes"][0]


def test_identify_without_such_a_target_exits_with_2(capsys: pytest.CaptureFixture[str], quick: None) -> None:
    code, out, err = shell.run(capsys, "identify", "nowhere_at_all.models:net")
    assert (code, out) == (2, "")
    assert "no module `nowhere_at_all.models`; install the package that has it, or name a registered network" in err
