"""What is made once for many tests: a warm process, networks at full size, a learner's folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from etude.practice import checker
from etude.verification import apart
from etude.verification.apart import Server
from shell import run
from whole import DEEPEST, SHALLOWER, Whole


@pytest.fixture(scope="session", params=[*SHALLOWER, *DEEPEST])
def whole(request: pytest.FixtureRequest) -> Whole:
    """A registered network; pytest runs all tests of one in a row, so that it is built once and forgotten before the next."""
    return Whole(request.param)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A process that has imported all that checks need; counting and optimisers import the last on their first use."""
    with Server(["etude.verification.request", "etude.practice.check", "torch._dynamo"]) as warm:
        yield warm


@pytest.fixture
def quick(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands call in the process that is warm already."""
    if apart.FORKS:
        monkeypatch.setattr(apart, "call", server.call)
        monkeypatch.setattr(checker, "call", server.call)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """In a learner's folder that was just begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert run(capsys, "practice", "start")[0] == 0
    monkeypatch.chdir(tmp_path / "practice")
    return tmp_path / "practice"
