"""The code of a lesson, in a process of its own."""

import contextlib
import io
import traceback
from typing import Any

FILE = "<the cell>"


def run(code: str) -> dict[str, Any]:
    """What the code prints; where it raises, the error in a line, and the line of the code where it was."""
    import torch

    torch.set_num_threads(1)  # everything is small, and others may be computing
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exec(compile(code, FILE, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return {"printed": printed.getvalue(), "error": f"{type(error).__name__}: {error}", "line": line_of(error)}
    return {"printed": printed.getvalue(), "error": None, "line": None}


def line_of(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError):
        return error.lineno
    return next((frame.lineno for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == FILE), None)
