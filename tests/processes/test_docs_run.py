"""The code and the commands of the README and the lessons run, and print what the pages show."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from etude.cli import app
from etude.train import recipe as recipes
from lessons import LESSONS, NAMED, PAGES, blocks, make, sessions
from places import ROOT, SCRIPTS


def test_the_readmes_python_runs_in_a_fresh_process(tmp_path: Path) -> None:
    """On smaller sizes: fewer layers, a few strokes in place of MNIST. Every name must be there by itself."""
    _, code = blocks(ROOT / "README.md", "python")  # behind that for a notebook
    smaller = {
        'build("ablation_resnet110", ': 'build("ablation_resnet110", depth=8, ',
        'against="ablation_resnet110", ': 'against="ablation_resnet110", depth=8, ',
        'etude.fit("lecture_residual.lecture", ': 'etude.fit("strokes.toml", budget="smoke", ',
    }
    for line, instead in smaller.items():
        assert line in code
        code = code.replace(line, instead)
    recipe = recipes.copied("lecture_residual.lecture").replace('"mnist"', '"strokes"')
    (tmp_path / "strokes.toml").write_text(recipe, encoding="utf-8")
    code += "\nprint(report.verdict, result.test_images, network.classes[0])\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["faithful", "1000", "horizontal"]


def test_the_figures_of_the_lessons_are_made_from_the_networks() -> None:
    for name, drawn in make.figures().items():
        assert (make.FIGURES / f"{name}.svg").read_text(encoding="utf-8") == drawn, "run: python docs/make.py"
    assert {file.stem for file in make.FIGURES.iterdir()} == set(make.figures())


@pytest.fixture
def in_a_learners_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").write_text("from etude.models.lecture import LectureResidual as Net\n", encoding="utf-8")
    shutil.copy(SCRIPTS / "lecture_inception.py", tmp_path / "lecture.py")
    shutil.copy(SCRIPTS / "lecture.ipynb", tmp_path)


SHOWN = list(dict.fromkeys((line, tuple(lines)) for page in PAGES for line, lines in sessions(page)))


@pytest.mark.parametrize(("line", "lines"), SHOWN, ids=lambda value: str(value)[:40])
def test_what_a_page_shows_of_a_command_is_what_it_prints(
    capsys: pytest.CaptureFixture[str], quick: None, in_a_learners_folder: None, line: str, lines: tuple[str, ...]
) -> None:
    app.run(shlex.split(line)[1:])
    printed = [shown.rstrip() for shown in capsys.readouterr().out.splitlines()]
    assert lines
    assert [shown for shown in lines if shown not in printed] == []


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.name)
def test_the_code_of_a_lesson_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str], page: Path) -> None:
    shown = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert shown
    for code, printed in shown:
        with torch.random.fork_rng(devices=[]):
            exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out.strip() == printed.strip()


def is_slow(line: str) -> bool:
    """Trains, or needs real images, which are not there without a download."""
    return any(word in line for word in ("--gradients", "--depth", "etude reproduce"))


@pytest.mark.parametrize("line", [line for line in NAMED if not is_slow(line) and not line.startswith("etude practice")])
def test_a_command_of_the_lessons_runs(quick: None, in_a_learners_folder: None, line: str) -> None:
    own = "my_net" in line or "lecture." in line
    assert app.run(shlex.split(line)[1:]) == (1 if "--against" in line and not own else 0)


@pytest.mark.slow  # `make docs` runs these; what takes hours is the record beside it
@pytest.mark.parametrize("line", [line for line in NAMED if is_slow(line)])
def test_a_slow_command_of_the_lessons_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    if "--budget paper" in line:
        record = make.record("docs/records/lecture-paper.json")
        assert (record["budget"], record["seeds"], record["failed"]) == ("paper", 3, False)
        return
    monkeypatch.chdir(tmp_path)
    assert app.run(shlex.split(line)[1:]) == 0
