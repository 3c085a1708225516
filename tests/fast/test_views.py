"""`etude explain` and `etude read` as a person meets them: views on the terminal, pictures, pages, and what is said when they cannot be."""

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import etude
from etude.explain.images import real_images
from etude.views import depth
from etude.views.network import VIEWS
from etude.views.view import View
from shell import run


def rows(shown: str) -> dict[str, list[str]]:
    """The lines of a table by their first word."""
    return {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.strip()}


# ── The lecture's example ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_worked_example_is_computed_and_the_slip_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "explain", "conv1x1")
    assert code == 0
    assert [re.findall(r"[\d.]+$|[\d.]+ [\d.]+ [\d.]+$", line)[0] for line in shown.splitlines()[1:4]] == [
        "2.6 3.8 5",
        "3.8 5 6.2",
        "5 6.2 7.4",
    ]
    for number in ("120,422,400", "153,600", "12,443,648", "15,872", "10.33 %", "12,433,648"):
        assert number in shown


def test_its_numbers_may_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "explain", "conv1x1", "--set", "weights=[1,0,-1]", "--set", "kernel=3", "--json")
    found = json.loads(shown)
    assert code == 0
    assert found["example"]["sum"] == [[1 - 9, 2 - 8, 3 - 7], [4 - 6, 0, 6 - 4], [7 - 3, 8 - 2, 9 - 1]]
    assert found["costs"]["direct"]["convolutions"][0]["kernel"] == 3
    assert found["slip"] == "", "the slide's slip is in the slide's numbers"


# ── Views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_view_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"--{name.replace('_', '-')}" for name in VIEWS]
    code, shown, _ = run(capsys, "explain", "lecture_residual", "--data", "strokes", *options, "--json")
    found = json.loads(shown)
    assert code == 0
    assert list(found) == ["network", "input", *VIEWS]
    assert [layer["path"] for layer in found["gradients"]["layers"]][:2] == ["conv1", "rblock1.conv1"]
    assert [block["path"] for block in found["gradients"]["residual_blocks"]] == ["rblock1", "rblock2"]


def test_the_receptive_field_is_shown_per_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: 5×5 → 5; pool → 6, step 2; two 3×3 → 6 + 2·2·2 = 14; 5×5 → 14 + 4·2 = 22; pool → 24, step 4; two 3×3 → 24 + 2·2·4 = 40."""
    code, shown, _ = run(capsys, "explain", "lecture_residual", "--receptive-field")
    assert code == 0
    found = rows(shown)
    assert [found[stage][0] for stage in ("conv1", "rblock1", "conv2", "rblock2")] == ["5×5", "14×14", "22×22", "40×40"]


def test_depths_are_compared_in_a_table_and_a_picture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "IMAGES", 4)
    monkeypatch.setattr(depth, "SEEDS", (0, 1))
    code, shown, _ = run(capsys, "explain", "--depth", "8,14", "--data", "strokes")
    assert code == 0
    assert len(re.findall(r"^ +(?:He|torch's default) +(?:yes|no) ", shown, flags=re.MULTILINE)) == 10
    code, _, _ = run(capsys, "explain", "--depth", "8", "--data", "strokes", "--html", str(tmp_path / "d.html"))
    assert code == 0
    assert "etude explain --depth 8 --data strokes<" in self_contained(tmp_path / "d.html", pictures=1)


def test_real_images_have_the_shape_asked_for_and_the_digits_in_their_middle() -> None:
    grey, labels = real_images((1, 28, 28), 6, "strokes")
    for shape in ((3, 32, 32), (3, 29, 31), (3, 64, 64), (1, 14, 14)):
        x, y = real_images((shape[0], shape[1], shape[2]), 6, "strokes")
        assert x.shape == (6, *shape)
        assert torch.equal(y, labels)
        assert abs(x.mean()) < 1e-5
        assert abs(x.std() - 1) < 1e-4
        assert torch.equal(x[:, 0], x[:, -1])
    x, _ = real_images((3, 32, 32), 6, "strokes")
    inside, before = x[:, 0, 2:30, 2:30], grey[:, 0]
    assert torch.allclose((inside - inside.mean()) / inside.std(), (before - before.mean()) / before.std(), atol=1e-4)


# ── Pictures and pages ───────────────────────────────────────────────────────────────────────────────────────────────


def self_contained(file: Path, pictures: int) -> str:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!#)', re.sub(r'xmlns(:\w+)?="[^"]*"', "", text))
    assert text.count("<svg") == pictures
    for drawn in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ElementTree.fromstring(drawn)
    return text


def test_a_diagram_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "block.svg"
    code, shown, err = run(capsys, "explain", "lecture_inception", "--diagram", str(file), "--block", "incep1")
    assert (code, shown) == (0, "")
    assert str(file) in err
    assert "5×5 conv 24" in "".join(ElementTree.fromstring(file.read_text(encoding="utf-8")).itertext())
    code, _, err = run(capsys, "explain", "lecture_inception", "--diagram", str(file), "--block", "incep3")
    assert code == 2
    assert "incep" in err


def test_a_diagram_is_written_beside_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, shown, _ = run(capsys, "explain", "lecture_inception", "--diagram", str(tmp_path / "a.svg"), "--json")
    assert (code, list(json.loads(shown)), (tmp_path / "a.svg").exists()) == (0, ["network", "input", "shapes", "cost"], True)


def test_the_page_of_a_network_has_everything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    code, _, err = run(capsys, "explain", "lecture_residual", "--data", "strokes", "--html", str(file))
    assert code == 0, err
    text = self_contained(file, pictures=2)
    commands = ["etude show", "--diagram FILE.svg", "--shapes", "--cost", "--gradients", "--receptive-field", "etude read"]
    positions = [text.index(command) for command in commands]
    assert positions == sorted(positions)
    for word in ("41,514", "slide 39", "99.01", "<dt>departures</dt><dd>none</dd>", "class", "ResidualBlock", "rblock2"):
        assert word in text


def test_a_page_of_everything_is_not_written_where_its_images_are_misspelt(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "explain", "lecture_residual", "--data", "strokess", "--html", str(tmp_path / "page.html"))
    assert (code, "strokes" in err, list(tmp_path.iterdir())) == (2, True, [])


def test_a_page_of_ones_own_network_says_what_is_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))\n"
    )
    arguments = ("explain", f"{own}:net", "--input", "1x8x8", "--data", "strokes", "--html", str(tmp_path / "own.html"))
    code, _, err = run(capsys, *arguments)
    assert code == 0, err
    assert "etude read" not in self_contained(tmp_path / "own.html", pictures=2)


@pytest.mark.parametrize("target", ["my nets/own.py:net('width')", "my nets/own.py"])
def test_a_view_names_the_command_that_shows_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    (tmp_path / "my nets").mkdir()
    (tmp_path / "my nets" / "own.py").write_text("from torch import nn\ndef net(a='', b=()):\n    return nn.Sequential(nn.Linear(8, 3))\n")
    monkeypatch.chdir(tmp_path)
    typed = ["etude", "explain", target, "--set", "b=[2,2]", "--input", "1x8x8", "--data", "strokes", "--run-all"]
    view = etude.command(shlex.join([*typed, "--receptive-field", "--shapes"])).view
    assert view.command == shlex.join([*typed, "--shapes", "--receptive-field"])
    assert commands_within(view) == [shlex.join([*typed, flag]) for flag in ("--shapes", "--receptive-field")]


def test_a_view_at_a_run_names_it_where_it_is_of_use() -> None:
    typed = "etude explain lecture_residual --data strokes"
    view = etude.command(f"{typed} --shapes --gradients --run lecture_residual.lecture").view
    assert view.command == f"{typed} --shapes --gradients --run lecture_residual.lecture"
    assert commands_within(view) == [f"{typed} --shapes", f"{typed} --gradients --run lecture_residual.lecture"]


def commands_within(view: View) -> list[str]:
    return [part.command for part in view.parts if isinstance(part, View)]


def test_reading_as_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, _ = run(capsys, "read", "resnet20", "--html", str(tmp_path / "r.html"))
    assert code == 0
    text = self_contained(tmp_path / "r.html", pictures=0)
    assert all(word in text for word in ("BasicBlock", "conv3_x.0", "section 4.2", "ZeroPadShortcut"))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["explain"], "what is to be explained"),
        (["explain", "resnet20", "--depth", "8"], "leave out resnet20"),
        (["explain", "--depth", "8,x"], "expected depths such as"),
        (["explain", "--depth", "9", "--data", "strokes"], "9"),
        (["explain", "resnet20", "--block", "conv2_x"], "--diagram"),
        (["explain", "resnet20", "--run", "."], "--gradients"),
        (["explain", "conv1x1", "--set", "colour=3"], "no `colour`"),
        (["explain", "conv1x1", "--set", "weights=[1,2]"], "one weight for every input channel"),
        (["explain", "conv1x1", "--set", "kernel=4"], "odd"),
        (["explain", "conv1x1", "--set", "kernel=big"], "kernel = 'big', expected a whole number"),
        (["explain", "conv1x1", "--set", "weights=5"], "weights = 5, expected numbers"),
        (["explain", "conv1x1", "--diagram", "a.svg"], "--diagram goes with a network, not with conv1x1"),
        (["explain", "conv1x1", "--data", "strokes"], "--data goes with a network, not with conv1x1"),
        (["explain", "--depth", "8", "--diagram", "a.svg"], "--diagram goes with a network, not with --depth"),
        (["explain", "--depth", "8", "--set", "classes=3"], "--set goes with a network, not with --depth"),
        (["explain", "resnet20", "--gradients", "--data", "nowhere"], "nowhere"),
        (["read", "resnet21"], "resnet20"),
        (["read", "resnet20", "--set", "name=3"], "no `name`"),
        (["show", "resnet20", "--set", "network=3"], "no `network`"),
    ],
)
def test_wrong_usage_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str], word: str) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert word in err
