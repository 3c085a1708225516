"""The lessons as notebooks: their code runs, their commands show their pictures in place, their exercises are checked. No torch."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from etude.files import write_text
from etude.lessons.pages import FOLDER, commands, exercise_of, in_a_cell, pages, pieces
from etude.practice.exercises import Exercise, Language, exercise
from etude.practice.workbook import Workbook

SETUP = "import etude\nfrom etude import practice"
Cell = dict[str, Any]


def write_notebooks(folder: Path, language: Language) -> tuple[list[Path], list[Path]]:
    """The files that were written, and those that were there and stay as they are. Progress is kept in the folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FOLDER / "figures", folder / "figures", dirs_exist_ok=True)
    if Workbook.near(folder) is None:
        Workbook.empty(folder, language)
    written, kept = list[Path](), list[Path]()
    for page in pages(language):
        file = folder / f"{page.stem}.ipynb"
        if file.exists():
            kept.append(file)
        else:
            write_text(file, notebook(page, language))
            written.append(file)
    return written, kept


def notebook(page: Path, language: Language) -> str:
    """One lesson as JSON."""
    cells = [{"id": f"cell-{number}"} | cell for number, cell in enumerate(cells_of(page, language), start=1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def cells_of(page: Path, language: Language) -> Iterator[Cell]:
    """The cells from top to bottom; below the title stands the way to the other pages, which is left out."""
    head, *rest = pieces(page)
    title, _, text = head.text.split("\n\n", 2)
    yield markdown(title)
    yield code(SETUP)
    for piece in (replace(head, text=text), *rest):
        if piece.kind == "prose":
            yield markdown(relinked(piece.text, language))
        elif piece.kind == "python":
            yield code(piece.text, piece.output)
        elif piece.kind == "shell":
            yield from cells_for(commands(piece.text), language)
        else:
            yield markdown(f"```{piece.kind}\n{piece.text}```")


def cells_for(lines: Sequence[str], language: Language) -> Iterator[Cell]:
    """A cell for every command that shows something at once, an exercise for one that checks it, and all others to read."""
    to_read = [line for line in lines if not exercise_of(line) and not in_a_cell(line)]
    for line in lines:
        if name := exercise_of(line):
            yield from exercise_cells(exercise(name), language)
        elif shown := in_a_cell(line):
            yield code(shown)
    if to_read:
        yield markdown("\n".join(("```shell", *to_read, "```")))


def exercise_cells(asked: Exercise, language: Language) -> Iterator[Cell]:
    """Its task, the code to begin with, and the check."""
    title, _, task = asked.task(language).partition("\n\n")
    yield markdown(f"### {title}\n\n{task}")
    yield code((asked.folder / "start.py").read_text(encoding="utf-8"))
    yield code(f'practice.check("{asked.name}", {", ".join(asked.callables)})')


def relinked(text: str, language: Language) -> str:
    """With links to the other notebooks in place of pages; of what does not lie beside them the words alone."""

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if target.endswith(f".{language}.md"):
            return f"[{words}]({target.removesuffix('.md')}.ipynb)"
        return found[0] if target.startswith("https://") else words

    return re.sub(r"(?<!!)\[([^]]*)\]\(([^)]+)\)", link, text)


def markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": text.strip()}


def code(text: str, printed: str = "") -> Cell:
    outputs = [{"name": "stdout", "output_type": "stream", "text": printed}] if printed else []
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": outputs, "source": text.strip()}
