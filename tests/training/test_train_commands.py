"""Training from the command line: a recipe to edit, and where the run is."""

from pathlib import Path

import pytest

from etude.train import recipe as recipes
from shell import run


def test_cp_gives_a_recipe_to_edit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    assert run(capsys, "cp", "lecture_residual.lecture", str(file))[0] == 0
    assert recipes.read(file).models == ("lecture_residual",)
    code, _, err = run(capsys, "cp", "lecture_residual.lecture", str(file))
    assert (code, "is there already" in err) == (1, True)
    arguments = ("train", str(file), "--budget", "smoke", "--data", "strokes", "--set", "images=64", "--runs", str(tmp_path / "runs"))
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "of the test images right" in out


def test_train_says_where_the_run_is_and_resumes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("train", "lecture_residual.lecture", "--budget", "smoke", "--data", "strokes", "--runs", str(tmp_path))
    code, out, err = run(capsys, *arguments)
    folder = tmp_path / "lecture_residual.lecture" / "smoke" / "seed-0"
    assert (code, f"run: {folder}" in out) == (0, True)
    assert "images/s" in err
    assert "\r" not in err, "no terminal: progress goes line by line"
    assert run(capsys, "train", "--resume", str(folder))[:2] == (0, out)
    in_it = (*arguments[:-2], "--run", str(folder))
    assert run(capsys, *in_it)[:2] == (0, out), "the run that is there"
    code, _, err = run(capsys, *in_it, "--seed", "1")
    assert (code, "another recipe or seed" in err) == (1, True)
    assert run(capsys, *arguments)[0] == 0
    assert (folder.parent / "seed-0-2").is_dir()
