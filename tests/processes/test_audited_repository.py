"""`etude audit` on a repository: fetched at one revision, through a mirror, and judged by `etude verify` there."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import etude
import shell

MISTAKES = Path(etude.__file__).parent / "practice" / "exercises" / "lecture_residual" / "mistakes"
LIST = """
[[source]]
repository = "https://nowhere.invalid/owner/nets"
revision = "{revision}"
licence = "MIT"
rows = [{{ target = "models/net.py:LectureResidual", against = "lecture_residual", note = "It is a mistake." }}]

[[source]]
repository = "{missing}"
revision = "{revision}"
licence = "MIT"
rows = [{{ target = "net.py:Net", against = "resnet20" }}]
"""


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=someone", "-c", "user.email=someone@nowhere.invalid"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


def test_a_repository_is_fetched_from_a_mirror_and_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror" / "owner" / "nets"
    (mirror / "models").mkdir(parents=True)
    shutil.copy(MISTAKES / "relu_before_addition.py", mirror / "models" / "net.py")
    git(mirror, "init", "--quiet")
    git(mirror, "add", ".")
    git(mirror, "commit", "--quiet", "-m", "A net")
    rows = tmp_path / "my.toml"
    rows.write_text(LIST.format(revision=git(mirror, "rev-parse", "HEAD"), missing=(tmp_path / "missing").as_uri()), encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{(tmp_path / 'mirror').as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://nowhere.invalid/")

    arguments = ("audit", "--rows", str(rows), "--into", str(tmp_path / "into"), "--json")
    first = shell.etude(*arguments)
    assert first.returncode == 0, first.stderr
    judged, missing = json.loads(first.stdout)
    assert judged["implementation"] == "owner/nets"
    assert judged["commands"][1] == "etude verify models/net.py:LectureResidual --against lecture_residual"
    found = judged["found"]
    assert (found["verdict"], found["place"], found["line"], found["parameters"]) == ("departs", "rblock1", "models/net.py:15", 41_514)
    assert missing["found"]["verdict"] == "not tried"
    assert "fatal: " in missing["found"]["sentence"]
    assert first.stderr.count("\n") == 4, "a line before and a line after each"

    again = shell.etude(*arguments)
    assert json.loads(again.stdout)[0] == judged
    assert "models/net.py" not in again.stderr
