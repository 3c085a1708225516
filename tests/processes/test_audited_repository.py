"""`etude audit` on a repository: fetched at one revision, through a mirror, and judged by `etude verify` there."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import etude
import shell
from etude.audit.implementations import Repository
from etude.audit.places import Unavailable, checkout

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


class Asks(BaseHTTPRequestHandler):
    """Wants a name and a password for everything, as GitHub does for a repository that is not there."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def test_nobody_is_asked_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Asks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        misspelt = Repository(f"http://127.0.0.1:{server.server_port}/owner/misspelt", "0" * 40, "MIT", ())
        with pytest.raises(Unavailable, match=r"could not read Username .* terminal prompts disabled"):
            checkout(misspelt, tmp_path / "code")
        server.shutdown()
