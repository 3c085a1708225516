"""Notebooks in a kernel, and what practice runs apart for a session."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from etude import practice
from etude.cli import app
from etude.lessons.notebooks import code, notebook, write_notebooks
from etude.lessons.pages import pages
from etude.practice.exercises import LANGUAGES, Language, exercise
from etude.practice.workbook import Work, Workbook

RIGHT = exercise("residual_block").solution.read_text(encoding="utf-8")
FIT = """from etude.train import recipe as recipes
etude.fit(recipes.load("lecture_residual.lecture", "smoke").on("strokes"))"""


def ran(cells: list[dict[str, Any]], folder: Path) -> list[list[dict[str, Any]]]:
    """What code cells put out, in a kernel of their own that starts in that folder."""
    made = nbformat.reads(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), as_version=4)
    done = NotebookClient(made, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return [list(cell.outputs) for cell in done.cells if cell.cell_type == "code"]


def shown(outputs: list[dict[str, Any]]) -> dict[str, str]:
    """What the last line of a cell gave."""
    (data,) = [one["data"] for one in outputs if one["output_type"] == "execute_result"]
    return data


def printed(outputs: list[dict[str, Any]]) -> str:
    return "".join(one["text"] for one in outputs if one["output_type"] == "stream")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lesson_runs_in_a_kernel(language: Language, tmp_path: Path) -> None:
    """It prints what the page shows; a class that is wrong is told its cell, and what has passed stays in the folder."""
    write_notebooks(tmp_path, language)
    cells = json.loads(notebook(pages(language)[0], language))["cells"]
    start = next(at for at, cell in enumerate(cells) if "class Conv1x1" in cell["source"])
    solution = exercise("conv1x1").solution.read_text(encoding="utf-8")
    cells[start]["source"] = "\n\n" + solution.replace("return ", "return 2 * ")
    again = [code(solution), code('practice.check("conv1x1", Conv1x1)'), code('practice.hint("conv1x1")')]
    outputs = ran([*cells, *again], tmp_path)
    for cell, found in zip((cell for cell in cells if cell["cell_type"] == "code"), outputs, strict=False):
        assert printed(cell["outputs"]) == printed(found)
    number = sum(cell["cell_type"] == "code" for cell in cells[: start + 1])
    line = next(at for at, text in enumerate(cells[start]["source"].splitlines(), 1) if "einsum" in text)
    told = shown(outputs[number])
    assert (f"cell {number}, line {line}" if language == "en" else f"第 {number} 个单元格第 {line} 行") in told["text/plain"]
    assert set(told) == {"text/plain", "text/html"}
    assert re.match("passed: conv1x1|通过：conv1x1", shown(outputs[-2])["text/plain"])
    assert Workbook(tmp_path).work("conv1x1") == Work(passed=True, checks=2, hints=1, solved=True)


def test_a_new_kernel_finds_the_progress_and_watches_a_training(tmp_path: Path) -> None:
    Workbook.empty(tmp_path, "en").note("conv1x1", True, check=True, hints=1)
    asked = ['practice.solution("conv1x1")', 'len(practice.hint("conv1x1").texts)', '"torch" in sys.modules', FIT]
    _, solution, hints, torch, outputs = ran([code("import sys\nimport etude\nfrom etude import practice"), *map(code, asked)], tmp_path)
    assert "class Conv1x1" in shown(solution)["text/plain"]
    assert [shown(one)["text/plain"] for one in (hints, torch)] == ["2", "False"]
    (bar,) = [one["data"] for one in outputs if one["output_type"] == "display_data"]
    assert "step 10/10" in bar["text/plain"]
    assert "<polyline" in bar["text/html"]
    assert "test images right" in shown(outputs)["text/plain"]
    assert "<svg" in shown(outputs)["text/html"]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", range(7))
def test_every_lesson_runs_in_a_kernel(language: Language, number: int, tmp_path: Path) -> None:
    page = pages(language)[number]
    write_notebooks(tmp_path, language)
    cells = json.loads((tmp_path / f"{page.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    for source, outputs in zip(sources, ran(cells, tmp_path), strict=True):
        if source.startswith(("etude.command", "practice.check")):
            assert "text/html" in shown(outputs), source


def test_a_file_is_taken_by_its_name(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(RIGHT.replace("ResidualBlock", "Mine"), encoding="utf-8")
    assert practice.check("residual_block", "mine.py:Mine")
    assert [one.id for one in practice.check("residual_block", "mine.py").diagnoses] == ["named_otherwise"]
    Path("start.py").write_text(exercise("residual_block").starting_file("en"), encoding="utf-8")
    assert practice.check("residual_block", "start.py").status == "not attempted"


def test_what_has_passed_in_a_notebook_is_no_matter_of_the_file(begun: Path, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    book = Workbook(begun)
    for name in set(book.folder.glob("*.py")) - {book.file("conv1x1"), book.file("conv_cost")}:
        name.unlink()
    book.note("conv1x1", True, check=True)
    book.file("conv_cost").write_text(exercise("conv_cost").solution.read_text(encoding="utf-8"), encoding="utf-8")
    assert practice.check("conv_cost", str(book.file("conv_cost")))
    book.file("conv_cost").write_text("", encoding="utf-8")
    assert app.run(["practice", "check", "--all"]) == 1
    assert [book.work(name).passed for name in ("conv1x1", "conv_cost")] == [True, False]
