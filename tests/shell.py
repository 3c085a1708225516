"""The command line in this process, and in one of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from etude.cli import app


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The command in this process: exit code, standard output, standard error."""
    capsys.readouterr()
    code = app.run(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def etude(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "etude", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, cwd=cwd, check=False)
