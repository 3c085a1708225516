"""The command line in a process of its own, as a shell starts it."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import shell
from etude.cli.cell import command
from etude.practice import exercises
from etude.verification import apart
from pages import Reader
from shell import etude


def test_a_terminal_that_cannot_show_a_name_shows_the_rest() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "etude", "show", "lecture_inception"]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Hongpu Liu" in done.stdout


def test_no_traceback_from_the_shell(tmp_path: Path) -> None:
    done = etude("train", "nothing", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no recipe `nothing`")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
def test_ctrl_c_ends_a_command_whose_starter_ignored_it(tmp_path: Path) -> None:
    """As under nohup, or behind a script's `&`. Of a watch it is the way out, from the first line on."""
    assert etude("practice", "start", str(tmp_path / "book")).returncode == 0
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); from etude.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "practice", "watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path / "book", text=True) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()  # it has begun
        watching.send_signal(signal.SIGINT)
        try:
            rest, error = watching.communicate(timeout=30)
        finally:
            watching.kill()  # a broken one would be waited for without end
    assert (watching.returncode, error) == (0, "")
    assert f"0 of {len(exercises.names())} passed" in rest


def test_verify_has_a_page_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, quick: None) -> None:
    arguments, page = ("verify", "plain20", "--against", "resnet20"), tmp_path / "page.html"
    code, text, _ = shell.run(capsys, *arguments)
    assert code == 1
    code, _, err = shell.run(capsys, *arguments, "--html", str(page))
    assert (code, "open it in a browser" in err) == (1, True)
    assert {word for word in text.split() if word.strip("─│·")} <= {*Reader(page.read_text(encoding="utf-8")).words}
    page.unlink()
    code, text, _ = shell.run(capsys, *arguments, "--json", "--html", str(page))
    assert (code, json.loads(text)["verdict"], page.exists()) == (1, "departs", True)


@pytest.mark.parametrize("verb", ["verify", "identify"])
def test_a_verdict_names_the_command_that_shows_the_same(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    def ends(*_: object, **__: object) -> None:
        raise apart.Failed("it has ended", "died")

    monkeypatch.setattr(apart, "call", ends)
    against = ["--against", "plain20"] if verb == "verify" else []
    typed = shlex.join(
        [
            "etude",
            verb,
            "plain20",
            *against,
            "--set",
            "depth=8",
            "--input",
            "3x32x32",
            "--run-all",
            "--seconds",
            "900.0",
            "--memory",
            "16.0",
        ]
    )
    assert command(typed).view.command == typed
