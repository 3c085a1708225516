"""What the README and the docs say is what the records and the commands say."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from etude.cli import app
from etude.cli.app import COMMANDS
from etude.cli.app import etude as command
from etude.models.registry import names
from etude.practice.exercises import names as exercises
from etude.reproduce.verdict import judge
from etude.train import recipe as recipes
from places import ROOT

LESSONS = sorted((ROOT / "docs" / "lessons").glob("[1-7]-*.en.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
assert spec is not None
assert spec.loader is not None
make: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.mark.parametrize("name", make.PAGES)
def test_the_tables_of_the_pages_are_made_from_the_records(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == make.page(name), "run: python docs/make.py"


def test_the_figures_of_the_lessons_are_made_from_the_networks() -> None:
    for name, drawn in make.figures().items():
        assert (make.FIGURES / f"{name}.svg").read_text(encoding="utf-8") == drawn, "run: python docs/make.py"
    assert {file.stem for file in make.FIGURES.iterdir()} == set(make.figures())


def test_the_picture_is_made_from_the_record() -> None:
    assert (ROOT / "docs" / "lecture.svg").read_text(encoding="utf-8") == make.picture(), "run: python docs/make.py"


@pytest.mark.parametrize("budget", make.BUDGETS)
def test_the_verdicts_of_the_records_follow_from_their_numbers(budget: str) -> None:
    record = make.record(f"docs/records/lecture-{budget}.json")
    assert record["seeds"] == 3
    for row in record["trained"]:
        assert [100 * metrics[-1]["test_accuracy"] for metrics in row["metrics"]] == pytest.approx(row["accuracy"]), "the last epoch"
        assert [metrics[-1]["epoch"] for metrics in row["metrics"]] == pytest.approx([row["recipe"]["epochs"]] * 3, abs=0.01)
        if row["published"]:
            verdict = judge(row["accuracy"], published=row["published"]["value"], runs=1, budget=budget, margin=0.3)
            assert (verdict.word, verdict.why) == (row["verdict"], row["why"])


def test_the_ratios_of_the_benchmark_follow_from_its_times() -> None:
    for row in make.record("benchmarks/lecture.json")["rows"]:
        assert row["epochs"] == 10
        lecture = row["lecture"]
        for run, ratio in zip(row["ours"], row["ratios"], strict=True):
            expected = lecture["seconds"] / run["seconds"] if run["accuracy"] >= lecture["accuracy"] else 0
            assert ratio == pytest.approx(expected)
        assert row["ratio"] == sorted(row["ratios"])[1]


def commands(page: Path) -> list[str]:
    """Every `etude …` in the code blocks of a page, comments left out."""
    blocks = re.findall(r"```(?:\w*)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("etude ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands(page):
        name, *arguments = shlex.split(line)[1:]
        assert name in COMMANDS, line
        verb = command.get_command(None, name)  # type: ignore[arg-type]
        while hasattr(verb, "commands"):
            verb = verb.commands[arguments.pop(0)]  # type: ignore[union-attr]
        assert verb is not None
        known = {option for parameter in verb.params for option in parameter.opts}
        unknown = {argument for argument in arguments if argument.startswith("--")} - known
        assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_looking_around_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [line for line in commands(ROOT / "README.md") if line.split()[1] in ("ls", "show", "cp", "data")]
    assert len(shown) >= 4
    for line in shown:
        result = CliRunner().invoke(command, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_the_readmes_python_runs_in_a_fresh_process(tmp_path: Path) -> None:
    """On smaller sizes: fewer layers, a few strokes in place of MNIST. Every name must be there by itself."""
    (code,) = blocks(ROOT / "README.md", "python")
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


def test_no_room_hides_a_public_name() -> None:
    """In a fresh interpreter, after rooms were imported: a room called `verify` would stand where the function is."""
    code = """
import etude.explain.graph, etude.report.web, etude.train.engine, etude.verification.judge
print([name for name in etude.__all__ if name != "__version__" and not callable(getattr(etude, name))], etude.__all__ == dir(etude))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[] True"


def sessions(page: Path) -> list[tuple[str, list[str]]]:
    """Every `$ etude …` in the code blocks of a page, with the lines that are shown below it; … stands for what is left out."""
    blocks = re.findall(r"```\n\$ (etude .*?)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = [(line, [text.rstrip() for text in lines.splitlines() if text.strip() not in ("", "…")]) for line, lines in blocks]
    return [(line, lines) for line, lines in shown if not line.startswith("etude practice")]  # whose walk has a test of its own


@pytest.mark.parametrize(("line", "lines"), [one for page in PAGES for one in sessions(page)], ids=lambda value: str(value)[:40])
def test_what_a_page_shows_of_a_command_is_what_it_prints(capsys: pytest.CaptureFixture[str], line: str, lines: list[str]) -> None:
    app.run(shlex.split(line)[1:])
    printed = [shown.rstrip() for shown in capsys.readouterr().out.splitlines()]
    assert lines
    assert [shown for shown in lines if shown not in printed] == []


# ── The lessons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def in_chinese(page: Path) -> Path:
    return page.with_name(page.name.replace(".en.", ".zh."))


def test_there_are_seven_lessons_in_both_languages() -> None:
    assert [page.name[0] for page in LESSONS] == list("1234567")
    assert len(list((ROOT / "docs" / "lessons").glob("[1-7]-*.md"))) == 14


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.name)
def test_a_lesson_is_the_same_in_both_languages(page: Path) -> None:
    """The same code, commands, figures and headings; comments and prose are their own."""
    other = in_chinese(page)
    assert [without_comments(code) for code in blocks(page, "python")] == [without_comments(code) for code in blocks(other, "python")]
    assert blocks(page, "text") == blocks(other, "text")
    assert sessions(page) == sessions(other)
    assert commands(page) == commands(other)
    for pattern in (r"^#+ ", r"!\[.*?\]\((.*?)\)", r"<!-- .*? -->"):
        found = [re.findall(pattern, text.read_text(encoding="utf-8"), flags=re.MULTILINE) for text in (page, other)]
        assert found[0] == found[1], pattern


def without_comments(code: str) -> str:
    return ast.unparse(ast.parse(code))


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.name)
def test_the_code_of_a_lesson_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str], page: Path) -> None:
    shown = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert shown
    for code, printed in shown:
        with torch.random.fork_rng(devices=[]):
            exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out.strip() == printed.strip()


OWN_NETWORK = "from etude.models.lecture import LectureResidual as Net\n"  # my_net.py of the lessons
NAMED = list(dict.fromkeys(line for page in LESSONS for line in commands(page)))


def is_slow(line: str) -> bool:
    """Trains, or needs real images, which are not there without a download."""
    return any(word in line for word in ("--gradients", "--depth", "etude reproduce"))


@pytest.mark.parametrize("line", [line for line in NAMED if not is_slow(line) and not line.startswith("etude practice")])
def test_a_command_of_the_lessons_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").write_text(OWN_NETWORK, encoding="utf-8")
    assert app.run(shlex.split(line)[1:]) == (1 if "--against" in line and "my_net" not in line else 0)


@pytest.mark.parametrize("line", [line for line in NAMED if line.startswith("etude practice check")])
def test_an_exercise_of_the_lessons_exists(line: str) -> None:
    assert line.split()[-1] in exercises()


@pytest.mark.slow  # `make docs` runs these; what takes hours is the record beside it
@pytest.mark.parametrize("line", [line for line in NAMED if is_slow(line)])
def test_a_slow_command_of_the_lessons_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    if "--budget paper" in line:
        record = make.record("docs/records/lecture-paper.json")
        assert (record["budget"], record["seeds"], record["failed"]) == ("paper", 3, False)
        return
    monkeypatch.chdir(tmp_path)
    assert app.run(shlex.split(line)[1:]) == 0


def test_the_readme_counts_the_networks() -> None:
    assert f"`etude ls` lists {len(names())}" in (ROOT / "README.md").read_text(encoding="utf-8")
