"""Python as people keep it, in scripts and in notebooks, and source as what it does. No torch."""

import ast
import bisect
import json
import linecache
import re
import threading
import warnings
from dataclasses import dataclass
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from etude.errors import EtudeError

NOTEBOOK = ".ipynb"
# what only a notebook understands, with the lines on which a backslash carries it on
NOT_PYTHON = re.compile(r"^([ \t]*)([%!?]|\w+ *= *[%!]|[\w.]+\?+\s*$)(.*\\\n)*.*", flags=re.MULTILINE)
PYTHON_INSIDE = ("%%time", "%%capture")  # cells that begin so are Python but for that line
PARSING = threading.Lock()
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what Python raises for what it cannot parse


@dataclass(frozen=True)
class Script:
    """A script, or the code cells of a notebook as one script.

    text   Python, line for line as in the file; of a notebook, its code cells one below the other
    cells  of a notebook: the line of `text` at which each code cell begins
    """

    file: Path
    text: str
    cells: tuple[int, ...] = ()

    @classmethod
    def read(cls, file: Path) -> "Script":
        """A file, or a cell of a live session, which has a name like one. Raises EtudeError for what is not there or is no Python."""
        if not file.is_file():
            if str(file) in linecache.cache:
                return cls(file, "".join(linecache.getlines(str(file))))
            raise EtudeError(f"{file}: no such file")
        try:
            if file.suffix == NOTEBOOK:
                return cls._of_notebook(file)
            return cls(file, decode_source(file.read_bytes()))
        except UNREADABLE as error:
            raise EtudeError(f"{file} cannot be imported: {why_unreadable(error)}") from error

    @classmethod
    def _of_notebook(cls, file: Path) -> "Script":
        """A cell begins with a new line, so that the text is that of the cells; what is no Python keeps its line, empty."""
        lines, cells = list[str](), list[int]()
        for source in code_cells(json.loads(file.read_bytes())):
            cells.append(len(lines) + 1)
            lines += python_of(source).split("\n")
        return cls(file, "\n".join(lines) + "\n", tuple(cells))

    @cached_property
    def tree(self) -> ast.Module:
        """Raises  SyntaxError, ValueError for what Python cannot read."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an escape in a text, say: they are the author's
            return tree_of(self.text, str(self.file))

    def cell(self, line: int) -> tuple[int | None, int]:
        """The code cell of a line, counted from 1 as a notebook that is run from the top counts them, and the line in it."""
        number = bisect.bisect(self.cells, line)
        return (number, line - self.cells[number - 1] + 1) if number else (None, line)

    def place(self, line: int) -> str:
        """`line 5`, or `cell 3, line 5`."""
        number, within = self.cell(line)
        return f"line {within}" if number is None else f"cell {number}, line {within}"

    def known(self) -> None:
        """Tell Python the text of a notebook, which it could not find itself, for `inspect` and for what it says of an error."""
        if self.cells:
            linecache.cache[str(self.file)] = (len(self.text), None, [f"{line}\n" for line in self.text.split("\n")], str(self.file))


def why_unreadable(error: BaseException) -> str:
    """What is wrong with a file whose text cannot be read."""
    if isinstance(error, UnicodeDecodeError) and not error.encoding.startswith("utf-8"):
        return f"its first lines say that it is in {error.encoding}, and it is not: take that out, or save it so"
    if isinstance(error, UnicodeDecodeError) or "encoding declaration" in str(error):
        return "it is not saved as UTF-8: choose that encoding in your editor, and save it again"
    return f"{type(error).__name__}: {error}"


def tree_of(text: str, file: str = "<unknown>") -> ast.Module:
    """What a text says in Python. One thread at a time: in Python 3.11 those of a server disturb each other there (SystemError)."""
    with PARSING:
        return ast.parse(text, file)


def expression_of(text: str) -> ast.expr:
    """The same of a single expression."""
    with PARSING:
        return ast.parse(text, mode="eval").body


def placed(file: str, line: object) -> str:
    """`my_net.py line 8`, `lecture.ipynb cell 3, line 5`: a place in a file that runs, whose line Python names."""
    path = Path(file)
    is_notebook = path.suffix == NOTEBOOK and str(line).isdecimal() and path.is_file()
    return f"{path.name} {Script.read(path).place(int(str(line)))}" if is_notebook else f"{path.name} line {line}"


def code_cells(notebook: Any) -> list[str]:
    """The sources of a notebook's code cells, in formats 3 and 4. Raises ValueError for what is no notebook."""
    try:
        cells = notebook["cells"] if "cells" in notebook else [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        sources = [cell.get("source", cell.get("input", "")) for cell in cells if cell["cell_type"] == "code"]
        return ["".join(source) for source in sources]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("is no notebook") from error


def without_magics(cell: str) -> str:
    """A cell with `pass` for what only a notebook understands, line for line."""
    return NOT_PYTHON.sub(lambda found: found[1] + "pass" + "\n" * found[0].count("\n"), cell)


def python_of(cell: str) -> str:
    """A cell with its lines, those that only a notebook understands left out: `%` and `!`, and all of a cell that begins with `%%`.

    A cell with a slip of the pen is left out too, but where it defines something: then it is to be said.
    """
    begun = cell.lstrip()
    if not begun.startswith("%%") or begun.startswith(PYTHON_INSIDE):
        for text in (cell, without_magics(cell)):  # as it stands first, for a text may have such lines
            if is_python(text):
                return text
        if re.search(r"^(class|def) ", cell, flags=re.MULTILINE):
            return without_magics(cell)
    return re.sub(r"[^\n]+", "", cell)


def is_python(text: str) -> bool:
    try:
        Script(Path("cell"), text).tree  # noqa: B018
    except UNREADABLE:
        return False
    return True


def code_only(source: str) -> str:
    """The source without comments and docstrings, in one style."""
    tree = tree_of(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
