"""What a network gets wrong: counted rightly, and shown of a run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from etude.report.mistakes import confusion_figure
from etude.train.answers import Answers, of_run
from etude.train.run import Run
from etude.train.shares import interval
from shell import run

# three classes; rows are sure, said, is
SEEN = [(0.95, 0, 0), (0.95, 0, 0), (0.95, 1, 0), (0.55, 1, 1), (0.55, 0, 1), (0.85, 2, 2), (0.75, 0, 2)]


@pytest.fixture
def found() -> Answers:
    likely = torch.stack([torch.full((3,), (1 - sure) / 2).scatter(0, torch.tensor(said), sure) for sure, said, _ in SEEN])
    labels = torch.tensor([label for *_, label in SEEN])
    return Answers(("a", "b", "c"), labels, likely, str, torch.zeros(7, 1, 2, 2, dtype=torch.uint8).__getitem__)


def test_who_was_taken_for_whom(found: Answers) -> None:
    assert found.counts() == [[2, 1, 0], [1, 1, 0], [1, 0, 1]]
    assert found.surest_mistakes(2) == [2, 6]
    assert found.surest_mistakes(9) == [2, 6, 4]


def test_how_sure_and_how_often_right(found: Answers) -> None:
    expected = [(0.55, 0.5, 2), (0.75, 0.0, 1), (0.85, 1.0, 1), (0.95, 2 / 3, 3)]
    assert np.array(found.bins()) == pytest.approx(np.array(expected), abs=1e-6)
    assert found.calibration_error() == pytest.approx((2 * 0.05 + 0.75 + 0.15 + 3 * (0.95 - 2 / 3)) / 7, abs=1e-6)


def test_the_name_of_a_class_is_no_mathematics() -> None:
    assert confusion_figure(("$_$", "b"), [[1, 0], [0, 1]]).count("$_$") == 2


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (7, 10), (788, 1000)])
def test_the_interval_is_wilsons(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert interval(right, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_run_shows_its_mistakes(learned: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = round((1 - learned.result().test_accuracy) * 1000)
    assert int((~of_run(learned, lambda message: None).right).sum()) == wrong
    page = tmp_path / "run.html"
    assert run(capsys, "runs", "show", str(learned.folder), "--html", str(page))[0] == 0
    text = page.read_text(encoding="utf-8")
    assert f"{wrong} of 1,000 test images wrong" in text
    assert text.count("data:image/png;base64") >= min(24, wrong)
    plain = json.loads(run(capsys, "runs", "show", str(learned.folder), "--json")[1])["mistakes"]
    assert sum(map(sum, plain["confusion"])) == 1000
    assert sum(row["right"] for row in plain["classes"]) == 1000 - wrong
    assert [row["sure"] for row in plain["surest_mistakes"]] == sorted((row["sure"] for row in plain["surest_mistakes"]), reverse=True)


def test_images_that_are_gone_or_changed_are_said(learned: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for old, new, message in (
        ('data = "strokes"', 'data = "/nowhere"', "/nowhere is not there any more"),
        ('data = "strokes"', 'data = "svhn"', "svhn is not here (etude data get svhn)"),
    ):
        copy = tmp_path / str(len(list(tmp_path.iterdir())))
        copy.mkdir()
        for file in learned.folder.iterdir():
            if file.is_file():
                (copy / file.name).write_bytes(file.read_bytes())
        recipe = (copy / "recipe.toml").read_text(encoding="utf-8")
        assert old in recipe
        (copy / "recipe.toml").write_text(recipe.replace(old, new), encoding="utf-8")
        code, out, _ = run(capsys, "runs", "show", str(copy))
        assert (code, f"cannot be seen: {message}" in out) == (0, True)
