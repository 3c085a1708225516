"""A learner's folder: hints, progress, and what is kept."""

import itertools
from pathlib import Path
from typing import Any

import pytest

import shell
from etude.lessons.pages import exercises_of, pages
from etude.lessons.progress import going_on
from etude.practice.classroom import handed_in
from etude.practice.exercises import LANGUAGES, exercise, names
from etude.practice.naming import exercise_of
from etude.practice.watching import Elsewhere, Pressed, Saved, happenings
from etude.practice.words import language_here
from etude.practice.workbook import STATE, Workbook


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code, out, err = shell.run(capsys, "practice", *arguments)
    return code, out + err


def test_hints_come_one_by_one(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (1, 2, 3, 3):
        code, shown = run(capsys, "hint", "densenet")
        assert code == 0
        assert [f"Hint {number} of 3" in shown for number in (1, 2, 3)] == [number <= count for number in (1, 2, 3)]
    assert "That was the last one" in shown
    assert "提示 1/3" in run(capsys, "hint", "densenet", "--lang", "zh")[1]


def test_reset_keeps_what_was_written(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("mine = 1\n", "mine = 2\n"):
        written(begun, "bottleneck", text)
        assert run(capsys, "reset", "bottleneck")[0] == 0
        assert (begun / "bottleneck.py").read_text(encoding="utf-8") == exercise("bottleneck").starting_file("en")
    assert [file.read_text(encoding="utf-8") for file in sorted(begun.glob("bottleneck.py.old*"))] == ["mine = 1\n", "mine = 2\n"]
    run(capsys, "reset", "bottleneck")
    assert len(list(begun.glob("bottleneck.py.old*"))) == 2, "a starting file needs no copy"


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


def test_every_exercise_belongs_to_a_lesson() -> None:
    english, chinese = ([exercises_of(page) for page in pages(language)] for language in LANGUAGES)
    assert english == chinese
    assert {name for own in english for name in own} == set(names())


def test_one_goes_on_within_the_lesson_then_behind_it_then_with_what_was_left_out(tmp_path: Path) -> None:
    book = Workbook.empty(tmp_path, "en")
    assert going_on(book) == "conv1x1"
    book.note("inception_a", False, check=True)
    assert (going_on(book), going_on(book, after="inception_a")) == ("inception_a", "refactor"), "the one at hand"
    order = ["inception_a", "refactor", "flatten_size", "lecture_inception", "googlenet_inception", "auxiliary_head", "dense_layer"]
    for name, then in itertools.pairwise(order):
        book.note(name, True, check=True)
        assert (going_on(book), going_on(book, after=name)) == (then, then)
    for name in names():
        if name not in ("conv_cost", "inception_a"):
            book.note(name, True)
    assert going_on(book, after="train_loop") == "conv_cost"
    book.note("conv_cost", True, check=True)
    assert going_on(book) is None
    book.note("inception_a", True, digest="of another file")
    assert going_on(book) == "inception_a", "changed since"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"language": "fr", "exercises": {}}', '{"language": "en", "exercises": {"a": {"x": 1}}}']
)
def test_damaged_progress_is_said(begun: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    (begun / STATE).write_text(damage, encoding="utf-8")
    code, shown = run(capsys, "list")
    assert code == 1
    assert "the progress cannot be read" in shown


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


def test_watch_sees_every_save(begun: Path) -> None:
    book, changes = Workbook(begun), ["conv_cost", "densenet", "gone", "Densenet (1)"]

    def wait(_: float) -> str:
        name = changes.pop(0)
        if name == "gone":
            (begun / "conv_cost.py").unlink()
            changes[:0] = ["conv_cost", "H"]
        elif name == "H":
            return name
        else:
            written(begun, name, f"# {len(changes)}\n")
        return ""

    seen = happenings(book, wait)
    assert [next(seen) for _ in range(5)] == [
        Saved("conv_cost"),
        Saved("densenet"),
        Saved("conv_cost"),
        Pressed("h"),
        Elsewhere(begun / "Densenet (1).py"),
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ResidualBlock.py", "residual_block"),
        ("conv1x1 (1).py", "conv1x1"),
        ("Conv1x1.py", "conv1x1"),
        ("anna_conv1x1_final.py", "conv1x1"),
        ("03-same-padding.ipynb", "same_padding"),
        ("GoogLeNetInception.py", "googlenet_inception"),
        ("inception_anna.py", None),
        ("dense_block_dense_layer.py", None),
        ("conv1x1.txt", None),
        ("helpers.py", None),
    ],
)
def test_a_file_is_recognised_where_its_name_leaves_no_doubt(name: str, meant: str | None) -> None:
    assert exercise_of(Path(name)) == meant


def test_every_exercises_own_file_is_recognised() -> None:
    assert all(exercise_of(Path(f"{name}.py")) == name for name in names())


def test_a_classs_files_are_sorted_out(tmp_path: Path) -> None:
    for place in (
        "anna/sub/conv1x1.py",
        "anna/Conv1x1.py",
        "anna/transition (1).py",
        "anna/transition_2.py",
        "anna/notes.py",
        "__MACOSX/conv1x1.py",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("", encoding="utf-8")
    (tmp_path / "anna" / "densenet.py").mkdir()
    (anna,) = handed_in(tmp_path)
    there = {name: str(path.relative_to(tmp_path)) for name, path in anna.files.items()}
    assert there == {"conv1x1": "anna/sub/conv1x1.py", "densenet": "anna/densenet.py"}
    assert [path.name for path in anna.others] == ["Conv1x1.py", "notes.py", "transition (1).py", "transition_2.py"]


@pytest.mark.parametrize(("locale", "language"), [("zh_CN.UTF-8", "zh"), ("zh", "zh"), ("en_US.UTF-8", "en"), ("de_DE", "en"), ("C", "en")])
def test_the_language_is_that_of_the_locale(monkeypatch: pytest.MonkeyPatch, locale: str, language: str) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert language_here() == language
