"""Practice in the browser, without one: the learner's folder is the truth, and whatever a file does the page says so and goes on."""

import contextlib
import os
import re
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from starlette.testclient import TestClient

import places
from etude.cli.cell import command
from etude.practice import checker
from etude.practice.checker import Outcome
from etude.practice.exercises import ORDER, exercise
from etude.practice.workbook import STATE, Workbook
from etude.studio.app import studio
from etude.studio.bench import Bench
from etude.studio.frame import Places, coded
from etude.studio.guard import Door
from etude.studio.rooms import practice
from etude.verification.apart import FORKS, Failed, Server

PORT = 8517
US = f"http://127.0.0.1:{PORT}"
ONE = "/en/practice/conv_cost"
SOLUTION = exercise("conv_cost").solution.read_text(encoding="utf-8")


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """A page that is opened starts no process here."""
    door = Door("127.0.0.1", PORT, "secret")
    headers = {"Origin": US, "Accept": "application/json"}
    app = studio(Places(tmp_path, command), door, bench=Bench(Mock()))
    return TestClient(app, base_url=US, cookies={door.cookie: door.secret}, headers=headers, follow_redirects=False)


@pytest.fixture
def book(client: TestClient, tmp_path: Path) -> Workbook:
    post(client, "/en/practice/begin")
    return Workbook(tmp_path / "practice")


@pytest.fixture
def checks(client: TestClient, server: Server) -> None:
    """They run in the process that is warm already."""
    bench(client).make = lambda: server


def bench(client: TestClient) -> Bench:
    guard: Any = client.app
    found: Bench = guard.app.state.bench
    return found


def post(client: TestClient, address: str, value: Any = None) -> dict[str, Any]:
    answer = client.post(address, json=value or {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def state(client: TestClient, address: str = ONE, known: str = "") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{address}/state", params={"known": known}).json()
    return found


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_button_begins_in_the_language_of_the_page(client: TestClient, tmp_path: Path) -> None:
    for path in ("/zh/practice/", "/zh/practice/conv1x1"):
        assert 'data-address="/zh/practice/begin"' in client.get(path).text
    assert not list(tmp_path.iterdir())
    own = tmp_path / "practice" / "conv1x1.py"
    own.parent.mkdir()
    own.write_text("mine", encoding="utf-8")
    post(client, "/zh/practice/begin")
    assert own.read_text(encoding="utf-8") == "mine"
    assert own.with_name("conv_cost.py").read_text(encoding="utf-8") == exercise("conv_cost").starting_file("zh")
    assert "<textarea" in client.get("/zh/practice/conv1x1").text


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_exercise_has_a_page(client: TestClient, language: str) -> None:
    overview = client.get(f"/{language}/practice/").text
    for number, name in enumerate(ORDER, 1):
        assert f'href="/{language}/practice/{name}"' in overview
        page = client.get(f"/{language}/practice/{name}").text
        assert (f"{number} of 24" if language == "en" else f"第 {number} 题，共 24 题") in page
        assert f"etude practice check {name}" in page


def test_an_exercise_and_its_lesson_lead_to_each_other(client: TestClient, book: Workbook) -> None:
    assert 'href="/zh/lessons/2-inception/#inception_a"' in client.get("/zh/practice/inception_a").text
    assert client.get("/en/practice/train_loop").text.count('href="/en/lessons/') == 3, "two lessons, and all of them"
    assert "passed</span>" not in client.get("/en/lessons/1-conv1x1/").text
    book.note("conv1x1", True, check=True)
    lessons, lesson = (client.get(f"/en/lessons/{name}").text for name in ("", "1-conv1x1/"))
    assert ("Exercises passed: 1 of 2" in lessons, lessons.count("Go on here")) == (True, 1)
    assert re.findall(r'<p class="command" id="(\w+)">.*passed</span>', lesson) == ["conv1x1"]
    book.note("conv_cost", True, check=True)
    lessons = client.get("/en/lessons/").text
    assert "✓ Exercises passed: 2 of 2" in lessons
    assert re.search(r'2-inception/" class="here"', lessons)


def test_what_stands_in_backticks_is_code() -> None:
    assert str(coded("1 < 2: `x<b>`, not `y`")) == "1 &lt; 2: <code>x&lt;b&gt;</code>, not <code>y</code>"


def test_a_line_break_between_chinese_signs_is_none(client: TestClient, book: Workbook) -> None:
    assert "幻灯片 12–13 就是这样说明：先加一个 1×1 卷积" in client.get("/zh/practice/conv_cost").text


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize(
    "name", ["conv2x2", "begin", "<script>alert(1)</script>", "'\"", "x" * 4_000, "..%2f..%2fconv1x1", "conv1x1.py", "%00"]
)
def test_what_is_no_exercise_is_not_found(client: TestClient, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    for what in ("", "/state", "/solution"):
        assert client.get(f"/en/practice/{name}{what}").status_code == 404
        assert "<script>alert" not in client.get(f"/en/practice/{name}{what}", headers={"Accept": "text/html"}).text
    for what in ("/save", "/check", "/stop", "/hint", "/reset"):
        assert client.post(f"/en/practice/{name}{what}", json={"text": "", "digest": ""}).status_code == 404
    assert sorted(tmp_path.rglob("*")) == before


# ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_saves_and_sees_what_others_write(client: TestClient, book: Workbook) -> None:
    file, first = book.file("conv_cost"), state(client)
    assert first["text"] == file.read_text(encoding="utf-8")
    assert "text" not in state(client, known=first["digest"])
    saved = post(client, f"{ONE}/save", {"text": "one = 1\r\n", "digest": first["digest"]})
    assert (saved["saved"], file.read_bytes()) == (True, b"one = 1\r\n")
    file.write_text("other = 2\n", encoding="utf-8")
    assert state(client, known=saved["digest"])["text"] == "other = 2\n"


def test_nothing_that_was_written_meanwhile_is_overwritten(client: TestClient, book: Workbook) -> None:
    """Two tabs that began with the same file: the second is told, may take what is there, or say that its own is to stay."""
    file, digest = book.file("conv_cost"), state(client)["digest"]
    assert post(client, f"{ONE}/save", {"text": "first\n", "digest": digest})["saved"]
    second = post(client, f"{ONE}/save", {"text": "second\n", "digest": digest})
    assert (second["saved"], second["text"], file.read_text(encoding="utf-8")) == (False, "first\n", "first\n")
    assert post(client, f"{ONE}/save", {"text": "first\n", "digest": digest})["saved"], "the same text is no conflict"
    assert post(client, f"{ONE}/save", {"text": "second\n", "digest": second["digest"]})["saved"]
    file.unlink()
    assert state(client)["digest"] == ""
    assert post(client, f"{ONE}/save", {"text": "again\n", "digest": digest})["saved"]
    assert file.read_text(encoding="utf-8") == "again\n"


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"text": 1, "digest": ""}',
        b'{"text": ""}',
        b'{"text": "", "digest": null}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_body_of_the_wrong_type_changes_nothing(client: TestClient, book: Workbook, body: bytes) -> None:
    before = book.file("conv_cost").read_bytes()
    answer = client.post(f"{ONE}/save", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"error": "expected a JSON object with text: str, digest: str"})
    assert book.file("conv_cost").read_bytes() == before


def test_what_is_no_text_is_said_and_left_alone(client: TestClient, book: Workbook) -> None:
    file, digest = book.file("conv_cost"), state(client)["digest"]

    def error(text: str = "") -> str:
        saved = client.post(f"{ONE}/save", json={"text": text, "digest": digest})
        looked, checked = client.get(ONE), client.post(f"{ONE}/check", json={})
        assert (looked.status_code, looked.text, checked.text) == (422, saved.text, saved.text)
        return str(looked.json()["error"])

    file.write_bytes("卷积".encode("gbk"))
    assert "not saved as UTF-8" in error()
    with file.open("wb") as large:
        large.truncate(2**31)
    assert "too large" in error()
    file.unlink()
    file.symlink_to("nowhere")
    assert "is a link to something that is not there" in error()
    file.unlink()
    file.mkdir()
    assert "is a folder" in error()
    if hasattr(os, "mkfifo"):  # of which a reader waits for somebody who writes
        file.rmdir()
        os.mkfifo(file)
        assert "no file" in error()


def test_half_a_sign_is_not_written_nor_what_could_not_be_read_again(client: TestClient, book: Workbook) -> None:
    large = client.post(f"{ONE}/save", json={"text": "x" * 600_000, "digest": state(client)["digest"]})
    assert (large.status_code, "too large" in large.text) == (422, True)
    body = b'{"text": "\\ud800", "digest": "%s"}' % state(client)["digest"].encode()
    answer = client.post(f"{ONE}/save", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "UTF-8" in answer.text) == (422, True)
    assert state(client)["text"] == exercise("conv_cost").starting_file(book.language)


def test_damaged_progress_is_said(client: TestClient, book: Workbook) -> None:
    (book.folder / STATE).write_text("{", encoding="utf-8")
    for address in ("/en/practice/", ONE, f"{ONE}/state"):
        answer = client.get(address)
        assert (answer.status_code, "the progress cannot be read" in answer.json()["error"]) == (422, True)


def test_a_full_disk_is_said_and_the_file_stays(client: TestClient, book: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(book.folder))

    before = book.file("conv_cost").read_bytes()
    monkeypatch.setattr("etude.practice.editing.write_text", full)
    answer = client.post(f"{ONE}/save", json={"text": "x", "digest": state(client)["digest"]})
    assert (answer.status_code, answer.json()) == (422, {"error": f"{book.folder}: No space left on device"})
    assert book.file("conv_cost").read_bytes() == before


# ── Help ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hints_come_one_at_a_time_and_are_counted_as_in_the_terminal(client: TestClient, book: Workbook) -> None:
    assert state(client)["hints"] == []
    for count in (1, 2, 3, 3):
        found = post(client, f"{ONE}/hint")
        assert found["hints"] == [hint.en for hint in exercise("conv_cost").hints[:count]]
        assert (found["hints_of"], book.work("conv_cost").hints) == (3, count)
    assert state(client, "/zh/practice/conv_cost")["hints"][0] == exercise("conv_cost").hints[0].zh


def test_a_new_start_keeps_what_was_there(client: TestClient, book: Workbook) -> None:
    file, start = book.file("conv_cost"), state(client)["text"]
    assert post(client, f"{ONE}/reset")["kept"] == ""
    file.write_text("mine", encoding="utf-8")
    found = post(client, f"{ONE}/reset")
    assert (found["kept"], found["text"]) == ("conv_cost.py.old", start)
    assert file.with_name("conv_cost.py.old").read_text(encoding="utf-8") == "mine"


# ── Checks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("checks")
def test_a_diagnosis_stands_at_its_line_and_then_the_solution_beside_it(client: TestClient, book: Workbook) -> None:
    file = book.file("conv_cost")
    wrong = SOLUTION.replace("kernel * kernel", "kernel").replace("    return", "    print('<b>', kernel)\n    return")
    file.write_text(wrong, encoding="utf-8")
    assert client.get(f"{ONE}/solution").headers["location"] == ONE
    assert post(client, f"{ONE}/check") == {"stopped": False}
    found = state(client)["found"]
    assert (found["passed"], found["number"], found["digest"]) == (False, state(client)["found"]["number"], state(client)["digest"])
    assert "Not yet" in found["html"]
    assert "&lt;b&gt; 5" in found["html"]
    assert [mark["text"] in found["html"] for mark in found["marks"]] == [True] * len(found["marks"])
    assert "还没有通过" in state(client, "/zh/practice/conv_cost")["found"]["html"]
    assert book.work("conv_cost").checks == 1

    file.write_text(exercise("conv_cost").starting_file("en"), encoding="utf-8")
    post(client, f"{ONE}/check")
    assert state(client)["found"]["number"] > found["number"]
    (mark,) = state(client)["found"]["marks"]
    assert "TODO" in file.read_text(encoding="utf-8").splitlines()[mark["line"] - 1]

    file.write_text(SOLUTION, encoding="utf-8")
    post(client, f"{ONE}/check")
    found = state(client)
    assert (found["found"]["passed"], found["solved"], found["standing"]) == (True, True, "passed")
    assert found["next"]["address"] == "/en/practice/same_padding"
    assert book.standing("conv_cost") == "passed"
    beside = client.get(f"{ONE}/solution", headers={"Accept": "text/html"}).text
    assert beside.count("per_filter") >= 4
    assert "1 of 24 passed" in client.get("/en/practice/").text
    file.write_text(wrong, encoding="utf-8")
    assert state(client)["standing"] == "changed since it passed"


HOSTILE = {
    "while True: pass": "stopped after 2 s",
    "open('large', 'wb').truncate(2**31)": "File too large",
    "__import__('socket').create_connection(('127.0.0.1', 80), timeout=1)": "",
    "__import__('os').fork() or __import__('time').sleep(600)": "",
    "__import__('os').kill(__import__('os').getppid(), 9)": "",
    "__import__('os')._exit(3)": "exit code 3",
}


@pytest.mark.skipif(not FORKS, reason="what the system allows is tested where it allows most")
@pytest.mark.usefixtures("checks")
@pytest.mark.parametrize("does", HOSTILE)
def test_whatever_a_file_does_is_said_and_the_next_check_works(
    client: TestClient, book: Workbook, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(practice, "SECONDS", 2)
    file = book.file("conv_cost")
    file.write_text(SOLUTION.replace("    return", f"    {does}\n    return"), encoding="utf-8")
    post(client, f"{ONE}/check")
    found = state(client)["found"]
    assert HOSTILE[does] in found["html"]
    file.write_text(SOLUTION, encoding="utf-8")
    monkeypatch.undo()
    post(client, f"{ONE}/check")
    assert state(client)["found"]["passed"]


@pytest.mark.skipif(not FORKS, reason="what the system allows is tested where it allows most")
def test_a_check_is_stopped_and_the_next_one_works(client: TestClient, book: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that has not imported torch, which takes seconds; `test_practice_browser.py` stops a real one."""

    def outcome(name: str, file: Path, server: Server, seconds: float) -> Outcome:
        function = "called_apart:loop" if "while" in file.read_text(encoding="utf-8") else "called_apart:modules"
        with contextlib.suppress(Failed):
            server.call(function, {}, path=[places.TESTS], seconds=seconds)
        return Outcome(name, file, "pass", (), 0.0)

    bench(client).make = lambda: Server(())
    monkeypatch.setattr(checker, "outcome", outcome)
    file = book.file("conv_cost")
    file.write_text("while True: pass", encoding="utf-8")
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(post(client, f"{ONE}/check"))) for _ in range(2)]
    for thread in threads:  # the second, of another tab, takes the place of the first
        thread.start()
        while state(client)["waits"] is None:
            time.sleep(0.02)
    threads[0].join(20)
    assert answers == [{"stopped": True}]
    post(client, f"{ONE}/stop")
    threads[1].join(20)
    assert answers == [{"stopped": True}] * 2
    assert (state(client)["waits"], state(client)["found"], book.work("conv_cost").checks) == (None, None, 0)
    post(client, f"{ONE}/stop")  # of nothing
    file.write_text(SOLUTION, encoding="utf-8")
    assert post(client, f"{ONE}/check") == {"stopped": False}
    assert state(client)["found"]["passed"]
    bench(client).close()
