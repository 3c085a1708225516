"""The lessons in the studio: all of them, their code, their commands, and the figures that move."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from etude.explain.conv1x1 import cost_comparison, worked_example
from etude.lessons.pages import pages, stem_of
from etude.studio.bench import Bench
from etude.studio.rooms.figures import FIGURES, LOOKED_THROUGH, fields_of
from etude.studio.rooms.lessons import parts_of, shown_commands
from etude.studio.words import LANGUAGES, Language
from etude.verification.apart import Server

LESSONS = [stem_of(page) for page in pages("en")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_has_its_page(client: TestClient, name: str, language: Language) -> None:
    text = client.get(f"/{language}/lessons/{name}/").text
    assert "data-run" in text
    assert "&lt;!--" not in text
    assert not re.search(r'href="[^"]*\.md|src="[^/]', text)
    for link in set(re.findall(r'(?:href|src)="(/[^"]+)"', text)):
        if "/practice/" not in link and not link.endswith(("/networks/", "/training/")):  # which other rooms have
            assert client.get(link).status_code == 200, link


def test_between_the_characters_of_chinese_there_is_no_space() -> None:
    """Where a line of the file ends."""
    for page in pages("zh"):
        for part in parts_of(page):
            assert not re.search(r"[\u4e00-\u9fff，。；：]\n[\u4e00-\u9fff]", part.html), page.name


def test_a_command_shows_what_it_shows(client: TestClient) -> None:
    (page, *_) = pages("en")
    (number,) = [part.number for part in shown_commands(parts_of(page)) if part.text == "etude explain conv1x1"]
    found = client.get(f"/en/lessons/{stem_of(page)}/show/{number}").json()["html"]
    assert f"{cost_comparison().reduced.multiplications:,}" in found


@pytest.mark.parametrize(
    "path",
    [
        "1-conv1x1/show/99",
        f"1-conv1x1/show/{'9' * 5_000}",
        "1-conv1x1/show/-1",
        "9-nothing/",
        "pictures/nothing.svg",
        "pictures/..%2f__init__.py",
        "pictures/..%2fREADME.md",
    ],
)
def test_what_is_not_there(client: TestClient, path: str) -> None:
    assert client.get(f"/en/lessons/{path}").status_code == 404


@pytest.fixture
def bench(client: TestClient) -> Iterator[Bench]:
    """Whose process is not its own to end."""
    guard: Any = client.app
    yield guard.app.state.bench
    guard.app.state.bench.server = None


@pytest.mark.parametrize(
    ("code", "printed", "error", "line"),
    [
        ("print(1 + 1)", "2\n", None, None),
        ("print('\\ud83d')", "\ud83d\n", None, None),  # half of a character, which UTF-8 does not have
        ("print(1)\n1 / 0", "1\n", "ZeroDivisionError: division by zero", 2),
        ("def f():\n    raise KeyError('a')\n\nf()", "", "KeyError: 'a'", 2),
        ("for", "", "SyntaxError", 1),
        ("import sys\nsys.exit(3)", "", "SystemExit: 3", 2),
        ("import os\nos.kill(os.getpid(), 9)", "", "died of signal 9", None),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "", "Error", None),
    ],
)
def test_code_runs_apart(
    client: TestClient, bench: Bench, server: Server, code: str, printed: str, error: str | None, line: int | None
) -> None:
    bench.make = lambda: server
    found = client.post("/en/lessons/1-conv1x1/run", json={"code": code, "name": "cell"}).json()
    assert found["printed"] == printed
    assert (found["error"] is None) if error is None else error in found["error"]
    if line:
        assert found["line"] == line


def test_what_runs_can_be_stopped(client: TestClient, bench: Bench) -> None:
    with ThreadPoolExecutor(1) as beside, Server(()) as own:
        bench.make = lambda: own
        began = time.monotonic()
        running = beside.submit(client.post, "/en/lessons/1-conv1x1/run", json={"code": "while True: pass", "name": "a"})
        while not running.done():
            client.post("/en/lessons/1-conv1x1/stop", json={"name": "a"})
            time.sleep(0.1)
    assert running.result().json()["error"] == "stopped"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "given",
    ["[]", '{"code": 1, "name": ""}', '{"code": "1"}', "{}", "nothing", "[" * 100_000, '{"name": "", "code": "' + "a" * 100_001 + '"}'],
)
def test_what_is_no_code_is_refused(client: TestClient, given: str) -> None:
    answer = client.post("/en/lessons/1-conv1x1/run", content=given, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "expected" in answer.json()["error"]


# ── Figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_filter_is_the_worked_example(client: TestClient) -> None:
    found = client.get("/en/lessons/figures/conv1x1").json()
    assert found["sum"] == [list(row) for row in worked_example().sum]
    assert found["sum"][0][0] == pytest.approx(2.6)  # slide 11
    moved = client.get("/en/lessons/figures/conv1x1?weights=1,0,-1").json()
    assert moved["sum"][0] == pytest.approx([1 - 9, 2 - 8, 3 - 7])
    assert moved["command"] == "etude explain conv1x1 --set 'weights=[1.0,0.0,-1.0]'"


def test_the_cost_is_that_of_the_slides(client: TestClient) -> None:
    found = client.get("/en/lessons/figures/cost").json()
    assert (found["direct"]["multiplications"], found["reduced"]["multiplications"]) == (120_422_400, 12_443_648)
    assert client.get("/en/lessons/figures/cost?in_channels=10&reduce=16&out_channels=24&height=12&width=12").json()["ratio"] > 1


@pytest.mark.parametrize(
    "query",
    [
        *("conv1x1?weights=a,b,c", "conv1x1?weights=1", "conv1x1?weights=nan,0,0", "conv1x1?weights=1e308,1,1"),
        *("cost?in_channels=0", "cost?kernel=x", "cost?kernel=inf", "cost?reduce=nan", "receptive?network=<b>"),
    ],
)
def test_what_no_figure_can_show_is_said(client: TestClient, query: str) -> None:
    answer = client.get(f"/en/lessons/figures/{query}")
    assert answer.status_code in (404, 422)
    assert "expected" in answer.json()["error"] or "weights" in answer.json()["error"]


@pytest.mark.parametrize("name", LOOKED_THROUGH[:3])
def test_a_unit_of_the_first_layer_sees_its_kernel(name: str) -> None:
    first = fields_of(name)["layers"][0]
    assert first["size"] == (first["kernel"],) * 2


def test_every_figure_has_its_words() -> None:
    from etude.studio.words import words_of

    for figures in FIGURES.values():
        for kind in figures:
            assert {f"{kind}_title", f"{kind}_about"} <= words_of("figures").keys()
