"""What is made once for many tests: a warm process, networks at full size, a learner's folder."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from etude.data import dataset, strokes
from etude.practice import checker
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.run import Run
from etude.verification import apart
from etude.verification.apart import Server
from shell import run
from whole import DEEPEST, SHALLOWER, Whole

if TYPE_CHECKING:
    from starlette.testclient import TestClient

settings.register_profile("etude", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others may compute
settings.load_profile("etude")


@pytest.fixture(scope="session", params=[*SHALLOWER, *DEEPEST])
def whole(request: pytest.FixtureRequest) -> Whole:
    """A registered network; pytest runs all tests of one in a row, so that it is built once and forgotten before the next."""
    return Whole(request.param)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A process that has imported all that checks need; counting and optimisers import the last on their first use."""
    with Server(["etude.verification.request", "etude.practice.judging", "torch._dynamo"]) as warm:
        yield warm


@pytest.fixture
def quick(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands call in the process that is warm already."""
    if apart.FORKS:
        monkeypatch.setattr(apart, "call", server.call)
        monkeypatch.setattr(checker, "call", server.call)
        monkeypatch.setattr(checker, "warm", lambda: contextlib.nullcontext(server))
        monkeypatch.setattr(checker, "at_once", lambda: 1)


@pytest.fixture(scope="session", autouse=True)
def _strokes_are_drawn_once() -> Iterator[None]:
    """All 7,000 of them, which takes as long as a short training."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dataset, "strokes", SimpleNamespace(draw=functools.cache(strokes.draw)))
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of ten steps on strokes, which nobody changes."""
    run = Run(tmp_path_factory.mktemp("trained") / "run")
    engine.fit(recipes.load("lecture_residual.lecture", "smoke").on("strokes"), run=run)
    return run


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that knows the strokes, which nobody changes."""
    recipe = recipes.change(recipes.load("lecture_residual.lecture", "laptop").on("strokes"), ("epochs=1.5", "batch=50"))
    run = Run(tmp_path_factory.mktemp("learned") / "run")
    engine.fit(recipe, run=run)
    return run


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """In a learner's folder that was just begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert run(capsys, "practice", "start")[0] == 0
    monkeypatch.chdir(tmp_path / "practice")
    return tmp_path / "practice"


@pytest.fixture
def client(tmp_path: Path) -> "Iterator[TestClient]":
    """A page of the studio on `tmp_path`, with what a browser sends beside its requests."""
    pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")
    from starlette.testclient import TestClient

    from etude.cli.cell import command
    from etude.studio.app import studio
    from etude.studio.frame import Places
    from etude.studio.guard import Door

    us, door = "http://127.0.0.1:8517", Door("127.0.0.1", 8517, "the-secret-of-this-start")
    headers = {"Origin": us, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    app: Any = studio(Places(tmp_path, command), door)
    yield TestClient(app, base_url=us, headers=headers, cookies={door.cookie: door.secret})
    app.app.state.bench.close()
    app.app.state.dropped.close()
