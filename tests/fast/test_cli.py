"""The command line as a person meets it: quick, and one message for whatever goes wrong."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from etude.cli import app as cli
from etude.cli import cell
from etude.errors import EtudeError, UsageError
from etude.models import registry
from etude.papers import load, names
from etude.train import kept
from etude.train import recipe as recipes
from etude.verification import apart
from etude.verification.facts import facts_of
from shell import run


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in cli.COMMANDS:
        assert f"\n  {name} " in out
        assert run(capsys, name, "--help")[0] == 0


def test_help_says_what_every_command_is_for_in_its_own_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(capsys, "--help")[1].splitlines()
    for verbs in cli.VERBS.values():
        for name, (_, what) in verbs.items():
            assert [line.split(maxsplit=1) for line in lines if line.startswith(f"  {name} ")] == [[name, what]]


@pytest.mark.parametrize("group", ["practice", "runs", "data"])
def test_a_list_of_commands_breaks_off_nowhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(capsys, group, "--help")[1].splitlines()
    assert not [line for line in lines[1:] if line.endswith("...")]


@pytest.mark.parametrize("words", [(), ("runs",), ("data",)], ids=" ".join)
def test_what_is_asked_for_nothing_shows_its_help(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> None:
    _, out, err = run(capsys, *words)
    assert (out + err).startswith(" ".join(("Usage: etude", *words)))
    assert (out + err).strip() == run(capsys, *words, "--help")[1].strip()


def test_ls_lists_every_network_and_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "ls")
    assert all(name in out for name in registry.names())
    _, out, _ = run(capsys, "ls", "--recipes")
    assert all(name in out or f"NETWORK.{name.rpartition('.')[2]}" in out for name in recipes.names())
    assert "resnet18.finetune" in run(capsys, "ls", "resnet18.*", "--recipes")[1]
    _, out, _ = run(capsys, "ls", "lecture_res*", "--json")
    assert out.count('"network"') == 3
    assert max(len(line.rstrip()) for line in run(capsys, "ls")[1].splitlines()) <= 100


def test_ls_lists_the_networks_of_a_paper(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "ls", "identity_mappings", "--json")[1])
    assert {row["network"] for row in found} == {row.name for row in registry.ROWS if row.paper == "identity_mappings"}
    assert all(row["network"].startswith("resnet") for row in json.loads(run(capsys, "ls", "resnet*", "--json")[1]))


@pytest.mark.parametrize("name", {name.rpartition(".")[2]: name for name in recipes.names()}.values())
def test_show_knows_every_recipe(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, "show", name)
    assert (code, name in out) == (0, True)


def test_show_prints_a_recipe_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "show", "resnet20.he2015", "--json")[1])
    assert (found["data"], list(found["networks"])) == ("cifar10", ["resnet20"])
    for option in (("--set", "depth=8"), ("--measure",), ("--facts",)):
        code, out, err = run(capsys, "show", "resnet20.he2015", *option)
        assert (code, out, "are for a network" in err) == (2, "", True)


@pytest.mark.parametrize("name", registry.names())
def test_show_tells_counts_and_every_published_result(capsys: pytest.CaptureFixture[str], name: str) -> None:
    paper, _ = facts_of(name)
    found = json.loads(run(capsys, "show", name, "--json")[1])
    exact = {count["what"]: count["exact"] for count in found["counts"]}
    own = next(count for count in paper.counts_of(name) if not count.given)
    assert exact["parameters"] == own.parameters
    assert own.macs in (None, exact["MACs"])
    values = [value for table in found["results"] for row in table["rows"] for value in row["values"].values()]
    assert len(values) == sum(len(row.values) for _, row in paper.results_of(name)) + (name in PLOTTED)
    code, out, _ = run(capsys, "show", name)
    assert (code, name in out) == (0, True)
    assert max(map(len, out.splitlines())) <= 100
    assert f"{own.parameters:,}" in out
    assert all(str(value) in out for value in values)
    assert all(table["at"] in " ".join(out.split()) for table in found["results"])
    assert all(departure in " ".join(out.split()) for departure in found["departures"])
    assert ("no recipe yet" in out) == (not found["train"])
    assert found["weights"] == [known for known in kept.names() if known.startswith(f"{name}.")]
    assert ("\n  weights " in out) == bool(found["weights"])


PLOTTED = {curve.network for curve in load("lecture").curves.values()}


def test_show_measures_when_asked_and_takes_options(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "show", "resnet34", "--set", "shortcut=A", "--measure")
    assert out.count("21,623,848") == 2, "exact by the table, and ours"
    assert out.count("3,644,493,824") == 2
    assert "shortcut = A; the network itself has B" in out
    assert "25.03" in out
    assert "24.52" not in out, "results of the other options"


def test_show_lays_the_printed_cost_of_a_row_beside_the_exact_one(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "show", "googlenet")[1]
    assert "463,000" in out
    assert "509,440" in out
    assert "inception_4c: the printed parameters fit no reading of K" in out
    assert "463,000" not in run(capsys, "show", "googlenet@torchvision")[1]


@pytest.mark.parametrize("paper", names())
def test_show_prints_every_fact_of_the_paper(capsys: pytest.CaptureFixture[str], paper: str) -> None:
    name = next(row.name for row in registry.ROWS if row.paper == paper)
    code, out, _ = run(capsys, "show", name, "--facts")
    assert code == 0
    assert all(f"  {fact}\n" in out for fact in load(paper).facts)
    assert max(map(len, out.splitlines())) <= 100


IDX = "train-images-idx3-ubyte"


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of things that are wrong, and an empty cache."""
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / IDX).write_bytes(b"\x00\x00\x08\x03" + b"\x00" * 50)
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    (tmp_path / "empty" / "dog").mkdir()
    (tmp_path / "file").write_text("a file\n")
    (tmp_path / "bad.toml").write_text("mean = [0.5]\n")
    return tmp_path


TRAIN = ("train", "lecture_residual.lecture", "--budget", "smoke")
STROKES = (*TRAIN, "--data", "strokes")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("trian",), 2, "no command `trian`; did you mean train?"),
        (("reproduce",), 2, "Missing argument 'NAME'; usage: etude reproduce [OPTIONS] NAME; `etude reproduce --help` says more"),
        (("verify", "resnet20"), 2, "Missing option '--against'; usage: etude verify [OPTIONS] TARGET; `etude verify --help` says more"),
        (("export", "resnet20"), 2, "Missing option '--to'. Choose from: onnx, pt2, safetensors, hub; usage: etude export [OPTIONS]"),
        (("practice", "reset"), 2, "Missing argument 'EXERCISE'; usage: etude practice reset [OPTIONS] EXERCISE; `etude practice reset --"),
        (("train",), 2, "which recipe? `etude ls --recipes` lists them"),
        (("train", "lecture_residul.lecture"), 2, "no recipe `lecture_residul.lecture`; did you mean lecture_residual.lecture"),
        (("train", "BAD/bad.toml"), 1, "bad.toml: missing key `data`"),
        (("train", "BAD/gone.toml"), 1, "gone.toml: cannot be read (No such file or directory)"),
        ((*TRAIN, "--set", "epocs=3"), 1, "unknown key `epocs`; did you mean epochs?"),
        ((*TRAIN, "--set", "model=lecture_residul", "--data", "strokes", "--runs", "BAD/r"), 2, "no model `lecture_residul`; did you mean"),
        (("train", "lecture_residual.lecture", "--budget", "papr"), 2, "no budget `papr`; did you mean paper?"),
        ((*TRAIN, "--data", "~nobody-of-that-name/x"), 2, "no data set and no folder of images '~nobody-of-that-name/x'"),
        ((*TRAIN, "--data", "mnits"), 2, "no data set and no folder of images 'mnits'; did you mean mnist"),
        ((*TRAIN, "--data", "BAD/empty", "--runs", "BAD/r"), 1, "cat"),
        ((*TRAIN, "--data-dir", "BAD/idx", "--runs", "BAD/r"), 1, "54 bytes uncompressed, expected 47,040,016"),
        ((*TRAIN, "--data-dir", "BAD/nowhere", "--runs", "BAD/r"), 1, "nowhere: cannot be read"),
        ((*STROKES, "--runs", "BAD/file"), 1, "file: cannot be written"),
        ((*STROKES, "--device", "tpu", "--runs", "BAD/r"), 2, "device `tpu` is not available here"),
        (("train", "--resume", "BAD/empty"), 1, "is not the folder of a run"),
        (
            (*STROKES, "--set", "mean=[0.1,0.2]", "--set", "std=[1,1]", "--runs", "BAD/r"),
            2,
            "expected one number a channel",
        ),
        ((*STROKES, "--device", "cpu:x", "--runs", "BAD/r"), 2, "device `cpu:x` is not available here"),
        (("train", "--resume", "BAD/empty", "--set", "epochs=2"), 2, "--resume continues a run as it was started"),
        (("show", "lecture_resnet"), 2, "no network or recipe `lecture_resnet`; did you mean"),
        (("ls", "vgg*"), 2, "nothing matches `vgg*`"),
        (("show", "resnet20", "--set", "norm=none"), 2, "has no `norm` for resnet20"),
        (("show", "resnet20", "--set", "depth"), 2, "expected NAME=VALUE"),
        (("show", "resnet20", "--set", "depth=21"), 2, "depth = 21, expected (depth - 2) % 6 == 0 (section 4.2"),
        (("show", "resnet20", "--set", "shortcut=D"), 2, "shortcut = 'D', expected shortcut in ('A', 'B', 'C')"),
        (("show", "densenet_40_12", "--set", "depth=big"), 2, "depth = 'big', expected a whole number"),
        (("show", "resnet18", "--set", "units=2"), 2, "units = 2, expected whole numbers"),
        (("show", "ablation_resnet110", "--set", "shortcut=conv", "--set", "order=bn_after_addition"), 2, "order == 'original' or"),
        (("show", "resnet20", "--facts", "--measure"), 2, "leave out --set and --measure"),
        (("doctor", "--data-dir", "BAD"), 2, "whose images?"),
        (("data", "get", "mnits"), 2, "mnits"),
        (("data", "info", "mnits"), 2, "mnits"),
        (("reproduce", "lectur"), 2, "no reproduction `lectur`; did you mean lecture?"),
        (("reproduce", "lecture", "--seeds", "0"), 2, "--seeds"),
        (("cp", "lecture_residual.lecture", "BAD/mine.txt"), 2, "a recipe's file ends in .toml"),
    ],
)
def test_bad_input_gets_one_line(
    capsys: pytest.CaptureFixture[str], bad: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(capsys, *(argument.replace("BAD", str(bad)) for argument in arguments))
    assert (found, out) == (code, "")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert err.splitlines()[-1] == lines[0], "and nothing after it"
    assert message in lines[0]


def test_a_failed_start_leaves_no_folder_behind(capsys: pytest.CaptureFixture[str], bad: Path) -> None:
    assert run(capsys, *TRAIN, "--data", str(bad / "empty"), "--runs", str(bad / "r"))[0] == 1
    assert not [path for path in (bad / "r").rglob("*") if path.name.startswith("seed")]


def test_the_code_that_weights_belong_to_is_named_as_it_was_typed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its quotes: `net.py:create(ResNet)` would take the class of that name."""
    asked = list[str]()

    def call(function: str, arguments: dict[str, str], **limits: float) -> None:
        asked.append(arguments["like"])
        raise EtudeError("enough")

    monkeypatch.setattr(apart, "call", call)
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "convert", "w.pt", "--to", "resnet20", "--like", 'net.py:create("ResNet")')[0] == 1
    assert asked == [f'{tmp_path.resolve() / "net.py"}:create("ResNet")']


def test_a_command_in_a_cell_is_split_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert cell.words_of(r"read my\ net.py 'a b'  # here") == ["read", "my net.py", "a b"]
    with pytest.raises(UsageError, match=r"^show 'resnet20: no closing quotation$"):
        cell.command("show 'resnet20")
    with pytest.raises(UsageError, match=r"^Missing argument 'NAME'; usage: etude show \[OPTIONS\] NAME"):
        cell.command("show")
    with pytest.raises(UsageError, match=r"^Usage: etude runs .*\n") as caught:
        cell.command("runs")
    assert "\nCommands:\n  ls " in str(caught.value)
    monkeypatch.setattr(sys, "platform", "win32")
    assert cell.words_of(r'explain C:\me\net.py:Net "C:\a b\n.py"') == ["explain", r"C:\me\net.py:Net", r"C:\a b\n.py"]
