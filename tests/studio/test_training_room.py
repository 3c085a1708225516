"""The room Training: what is shown of runs, what names may not do, and commands that go on in a process of their own."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import pytest

pytest.importorskip("starlette", reason="the studio is an extra: pip install 'etude-cnn[studio]'")

from starlette.testclient import TestClient

from etude import files
from etude.cli.cell import command
from etude.errors import EtudeError
from etude.studio import background
from etude.studio.background import Background
from etude.studio.frame import Places
from etude.studio.rooms import training
from etude.studio.words import words_of
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.run import Run
from etude.train.store import Store
from etude.views.runs import Pace, pace, published_curve

NAME = "lecture_residual.lecture/laptop/seed-0"
JOB = Job(recipes.load("lecture_residual.lecture", "laptop"), 0)
PLAIN = {"classes": list("0123456789"), "mean": [0.1], "std": [0.3], "threads": 1, "device": "cpu"}


def row(step: int, seconds: float, accuracy: float | None = None) -> dict[str, Any]:
    """A line of metrics, of an epoch of 100 steps."""
    tested = {} if accuracy is None else {"test_loss": 1 - accuracy, "test_accuracy": accuracy, "test_images": 1000}
    return {"epoch": step / 100, "step": step, "train_loss": 1.0, "train_accuracy": 0.5, **tested, "seconds": seconds}


ROWS = (row(0, 0, 0.1), row(10, 2), row(20, 4), row(25, 5, 0.7))


def made(tmp_path: Path, job: Job = JOB, rows: Sequence[dict[str, Any]] = ROWS, accuracy: float | None = None, **stands: Any) -> Run:
    """A run as a training leaves it, finished with that accuracy or else not."""
    run = Store(tmp_path / "runs").new(job)
    run.start(job, {**PLAIN, **stands})
    for line in rows:
        run.append(line)
    if accuracy is not None:
        run.finish({"test_accuracy": accuracy, "test_images": 1000, "seconds": 5.0, "warning": ""})
    return run


def look(client: TestClient, since: int = 0, name: str = NAME) -> dict[str, Any]:
    found: list[dict[str, Any]] = client.get("/en/training/rows", params={"run": name, "since": since}).json()
    return found[0]


# ── Runs that are there ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_in_both_languages(client: TestClient, tmp_path: Path, language: str) -> None:
    made(tmp_path)
    made(tmp_path, accuracy=0.9876)
    for path in (
        "/",
        f"/run?run={NAME}",
        f"/run?run={NAME}&run={NAME}-2&whole=1",
        f"/gradients?run={NAME}",
        "/reproduction?name=resnet&budget=paper&seeds=5",
        "/reproduction?name=lecture&data=strokes",
    ):
        answer = client.get(f"/{language}/training{path}")
        assert answer.status_code == 200, path
        assert 'class="command"' in answer.text
    assert "70.00 %" in client.get(f"/{language}/training/").text
    assert words_of("training")["state_finished"][language] in client.get(f"/{language}/training/").text  # type: ignore[index]


def test_a_damaged_run_says_so_and_hides_no_other(client: TestClient, tmp_path: Path) -> None:
    first, second, cut, third = made(tmp_path), made(tmp_path), made(tmp_path), made(tmp_path, accuracy=0.5)
    (first.folder / "env.json").write_text("{")
    second.metrics_file.write_text("<script>\n")
    cut.metrics_file.write_text('{"epoch": 0.5}\n')
    shown = client.get("/en/training/list").json()["html"]
    assert shown.count("70.00 %") == 1
    assert shown.count("cannot be read") == 1
    assert shown.count("is damaged") == 2
    assert "<script" not in shown
    for run in (first, second, cut):
        name = run.folder.relative_to(tmp_path / "runs").as_posix()
        for page in ("run", "rows"):
            answer = client.get(f"/en/training/{page}", params={"run": name, "since": 0})
            assert (answer.status_code, list(answer.json())) == (422, ["error"])
    assert client.get("/en/training/run", params={"run": third.folder.relative_to(tmp_path / "runs").as_posix()}).status_code == 200


def test_the_newest_runs_and_how_many_more(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        made(tmp_path)
    monkeypatch.setattr(training, "MOST", 3)
    shown = client.get("/en/training/list").json()["html"]
    assert shown.count('type="checkbox"') == 3
    assert "1 older" in shown


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "a/../../secret", "/etc", f"./{NAME}", f"{NAME}/../seed-0", "a\0b", "x" * 5000, "<script>"]
)
def test_a_name_leads_nowhere_else(client: TestClient, tmp_path: Path, name: str) -> None:
    made(tmp_path)
    shutil.copytree(tmp_path / "runs" / NAME, tmp_path / "secret")
    for page in ("run", "rows", "gradients", "gradients_now"):
        answer = client.get(f"/en/training/{page}", params={"run": name, "since": 0})
        assert answer.status_code in (404, 422) or answer.json()[0]["state"] == "gone"
    for act in ("resume", "stop"):
        assert client.post(f"/en/training/{act}", json={"run": name}).status_code in (404, 422)
    assert "&lt;script" in client.get("/en/training/run", params={"run": "<script>"}, headers={"Accept": "text/html"}).text


def test_only_new_lines_are_sent(client: TestClient, tmp_path: Path) -> None:
    run = made(tmp_path)
    found = look(client)
    assert (found["from"], len(found["rows"]), found["state"], found["epochs"]) == (0, 4, "unfinished", 0.5)
    assert look(client, 3)["rows"] == [ROWS[3]]
    run.cut(2)  # as where a run goes on from its checkpoint
    found = look(client, 4)
    assert (found["from"], len(found["rows"])) == (0, 2)


def test_a_reproduction_that_does_not_run_is_not_stopped(client: TestClient) -> None:
    answer = client.post("/en/training/reproduce/stop", json={"name": "lecture", "budget": "smoke"})
    assert answer.status_code == 422
    assert "does not run" in answer.json()["error"]


def test_a_run_of_a_terminal_is_seen_and_is_not_stopped_here(client: TestClient, tmp_path: Path) -> None:
    run = made(tmp_path)
    with run.locked():
        found = look(client)
        assert (found["state"], "5 images/s" in found["words"], "50 s left" in found["words"]) == ("elsewhere", False, False)
        assert "480 images/s · 5 s left" in found["words"]
        assert ">running<" in client.get("/en/training/list").json()["html"]
        for act in ("stop", "resume"):
            assert client.post(f"/en/training/{act}", json={"run": NAME}).status_code == 422
    assert look(client)["state"] == "unfinished"
    assert ">stopped<" in client.get("/en/training/list").json()["html"]


def test_whoever_looks_disturbs_nobody(tmp_path: Path) -> None:
    """A training that begins while somebody looks at the lock."""
    run = made(tmp_path)
    look = filelock.FileLock(run.lock)
    with look.acquire():
        assert run.running
    with run.locked():
        assert run.running
    assert not run.running


@pytest.mark.parametrize("one", [files.is_held, lambda lock: not files.takes(lock)], ids=["shared", "alone"])
def test_who_only_looks_is_not_taken_for_one_that_trains(tmp_path: Path, one: Callable[[Path], bool]) -> None:
    """Many at once; `alone` is how Windows is asked."""
    lock = tmp_path / "lock"
    assert not files.is_held(lock), "nobody holds one that is not there"
    lock.touch()
    with ThreadPoolExecutor(8) as several:
        assert not any(several.map(one, [lock] * 2_000))
        with filelock.FileLock(lock):
            assert all(several.map(one, [lock] * 20))


def test_a_run_whose_name_no_page_can_hold_hides_no_other(client: TestClient, tmp_path: Path) -> None:
    made(tmp_path).checkpoint.touch()
    try:
        shutil.copytree(tmp_path / "runs" / NAME, tmp_path / "runs" / os.fsdecode(b"caf\xe9"))
    except (OSError, UnicodeError):
        pytest.skip("names are text on this file system")
    assert client.get("/en/training/list").json()["html"].count('type="checkbox"') == 1
    assert client.get("/en/training/").status_code == 200
    assert f"<option>{NAME}</option>" in client.get("/en/digit/").text


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ((), Pace(0, None, None, None)),
        (ROWS[:1], Pace(0, None, None, None)),
        (ROWS, Pace(25, 50, 5 * 96, 5.0)),
        ((*ROWS[:2], row(10, 3, 0.5)), Pace(10, 50, 10 / 3 * 96, 12.0)),
        (tuple(row(step, step if step < 30 else 2 * step - 30) for step in range(51)), Pace(50, 50, 0.5 * 96, 0.0)),  # slower at the end
    ],
)
def test_pace(rows: Sequence[dict[str, Any]], found: Pace) -> None:
    assert pace(JOB.recipe, rows) == found


def test_a_published_curve_is_for_the_same_data() -> None:
    curve = published_curve(JOB.recipe)
    assert curve is not None
    assert curve.at == "slide 39"
    assert published_curve(JOB.recipe.on("strokes")) is None
    assert published_curve(recipes.load("lecture_residual.lecture", "smoke")) is None, "an epoch of 640 images"
    assert published_curve(recipes.load("resnet20.he2015", "paper")) is None


def test_gradients_of_a_run(client: TestClient, tmp_path: Path, trained: Run) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs" / "mine")
    found = client.get("/en/training/gradients_now?run=mine").json()["html"]
    assert "<svg" in found
    assert "step 10;" in found


# ── A reproduction ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reproduction_fills(client: TestClient, tmp_path: Path) -> None:
    address = "/en/training/table?name=lecture&budget=laptop&seeds=2"
    assert "0 of 10 runs are there" in client.get(address).json()["html"]
    stands = machine.environment(machine.choose_device(None)) | {"source": machine.source_digest(JOB.recipe.model), "threads": 99}
    made(tmp_path, accuracy=0.98, **stands | {"torch": "1.0"})  # by another torch: not of this reproduction
    made(tmp_path, **stands)
    shown = client.get(address).json()["html"]
    assert "0 of 10 runs are there" in shown
    assert "50 %" in shown, "of the run that has stopped"
    (tmp_path / "runs" / f"{NAME}-2" / "result.json").write_text(json.dumps(numbers(0.985)))
    shown = client.get(address).json()["html"]
    assert "lecture_residual: 1 of 2 runs are there" in shown
    made(tmp_path, Job(JOB.recipe, 1), accuracy=0.99, **stands)
    shown = client.get(address).json()["html"]
    assert "98.75" in shown, "the mean"
    assert "consistent" in shown
    assert "lecture_residual: 0.26 points below the published value" in shown
    assert client.get(address.replace("table", "page")).status_code == 404
    (tmp_path / "runs" / "lecture-laptop.html").write_text("<h1>the page</h1>")
    assert client.get(address.replace("table", "page")).text == "<h1>the page</h1>"


def test_no_name_of_a_reproduction_leads_out(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "runs" / "lecture.").mkdir(parents=True)
    (tmp_path / "secret-smoke.html").write_text("secret")
    assert (tmp_path / "runs" / "lecture./../../secret-smoke.html").exists()
    answer = client.get("/en/training/page", params={"name": "lecture./../../secret"})
    assert (answer.status_code, "secret`" in answer.text) == (404, True)


def numbers(accuracy: float) -> dict[str, Any]:
    return {"test_accuracy": accuracy, "test_images": 1000, "seconds": 5.0, "warning": ""}


@pytest.mark.parametrize(
    "asked",
    [
        "name=../x",
        "name=x.toml",
        "name=lecture.nothing",
        "budget=huge",
        "seeds=0",
        "seeds=-1",
        "seeds=9999999999",
        "seeds=00000000101",
        "data=/etc",
    ],
)
def test_no_other_reproduction(client: TestClient, asked: str) -> None:
    for page in ("reproduction", "table", "page"):
        assert client.get(f"/en/training/{page}?{asked}").status_code in (404, 422)


# ── Processes of their own ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Background]:
    """What a test has left running is ended."""
    found = Background.of(tmp_path / "runs")
    yield found
    if task := found.running():
        os.kill(task.process, signal.SIGKILL)


def until(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)


WAITS = ["studio", "--no-browser"]  # until Ctrl-C


def test_one_at_a_time_found_again_and_stopped(behind: Background, tmp_path: Path, client: TestClient) -> None:
    behind.start(WAITS, "training/x", tmp_path)
    until(lambda: "open" in behind.said(9))
    again = Background.of(tmp_path / "runs")  # as a studio that was started anew
    task = again.running()
    assert task is not None
    assert (task.command, os.getpgid(task.process)) == ("etude studio --no-browser", task.process), "a group of its own: no Ctrl-C of ours"
    assert "etude studio --no-browser" in client.get("/en/training/list").json()["html"]
    made(tmp_path)
    for address, given in (("start", {}), ("resume", {"run": NAME}), ("reproduce", {})):
        answer = client.post(f"/zh/training/{address}", json=given)
        assert (answer.status_code, "正在运行" in answer.json()["error"]) == (422, True)
    assert not (tmp_path / "runs" / f"{NAME}-2").exists(), "no folder is claimed in vain"
    with pytest.raises(EtudeError, match="one at a time"):
        again.start(["ls"], "training/y", tmp_path)
    with pytest.raises(EtudeError, match="does not run"):
        again.stop("training/y")
    again.stop("training/x")
    again.stop("training/x")  # the second changes nothing
    until(lambda: not behind.running())
    with pytest.raises(EtudeError, match="does not run"):
        again.stop("training/x")


def test_a_process_that_died_is_not_mistaken_for_another(behind: Background, tmp_path: Path) -> None:
    behind.start(WAITS, "training/x", tmp_path)
    task = behind.running()
    assert task is not None
    os.kill(task.process, signal.SIGKILL)
    until(lambda: not behind.running())
    behind.note(background.Task(("train",), "training/x", os.getpid()))  # whose number a living process has now
    assert behind.running() is None
    assert "ended from outside" in behind.failure("training/x")
    with pytest.raises(EtudeError, match="does not run"):
        behind.stop("training/x")


def test_why_it_failed_is_said(behind: Background, tmp_path: Path, client: TestClient) -> None:
    address = training.page_of(Run(tmp_path / "runs" / NAME), Places(tmp_path, command))
    behind.start(["train", "<nothing>"], address, tmp_path)
    until(lambda: not behind.running())
    assert behind.failure(address).startswith("no recipe `<nothing>`")
    shown = client.get(f"/en/{address}", headers={"Accept": "text/html"}).text
    assert "no recipe `&lt;nothing&gt;`" in shown


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero"),
        (KeyboardInterrupt(), 130, ""),
        (SystemExit(130), 130, ""),
        (SystemExit(2), 2, "ZeroDivisionError: division by zero"),
    ],
)
def test_how_it_ended_is_noted_whatever_ended_it(behind: Background, end: BaseException, code: int, said: str) -> None:
    behind.folder.mkdir(parents=True)
    behind.log.write_text("Traceback\n" + "  a line of it\n" * 500 + "ZeroDivisionError: division by zero\n")
    with pytest.raises(type(end)), behind.held(["train"], "training/x"):
        raise end
    task = behind.last()
    assert task is not None
    assert (task.code, behind.failure("training/x")) == (code, said)


def test_what_starts_too_late_does_not_start(behind: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(background, "started", lambda *_: waiting)
    monkeypatch.setattr(background, "START_SECONDS", 0.1)
    with pytest.raises(EtudeError, match="etude ls: did not start"):
        behind.start(["ls"], "training/x", tmp_path)
    try:
        assert waiting.wait(60) != 0
    finally:
        waiting.kill()


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"arguments": 3}', '{"arguments": [], "page": "x", "process": "y"}'])
def test_a_damaged_record_is_none(client: TestClient, tmp_path: Path, record: str) -> None:
    behind = Background.of(tmp_path / "runs")
    behind.folder.mkdir(parents=True)
    behind.record.write_text(record)
    assert behind.last() is None
    assert client.get("/en/training/").status_code == 200


def test_a_full_disk_is_said_and_leaves_nothing(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(background, "started", full)
    answer = client.post("/en/training/start", json={"budget": "smoke"})
    assert (answer.status_code, "No space left" in answer.json()["error"]) == (422, True)
    assert not Store(tmp_path / "runs").runs()
    assert not (tmp_path / "runs" / "lecture_residual.lecture" / "smoke" / "seed-0").exists()


def test_a_file_in_the_way(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    answer = client.post("/en/training/start", json={"budget": "smoke"})
    assert (answer.status_code, "runs" in answer.json()["error"]) == (422, True)
    assert client.get("/en/training/").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        [],
        "x",
        3,
        {"seed": 0},
        {"seed": "-1"},
        {"seed": "9" * 99},
        {"budget": "huge"},
        {"recipe": "../x.toml"},
        {"recipe": "x"},
        {"data": "/etc"},
    ],
)
def test_what_cannot_be_started(client: TestClient, tmp_path: Path, given: Any) -> None:
    assert client.post("/en/training/start", json=given).status_code in (404, 422)
    assert not (tmp_path / "runs").exists()


def test_what_is_chosen_is_told_with_its_command(client: TestClient) -> None:
    found = client.get("/en/training/estimate?recipe=resnet20.he2015&budget=paper&seed=3&data=strokes").json()
    assert found["command"] == "etude train resnet20.he2015 --budget paper --seed 3 --data strokes"
    assert found["text"].startswith("64,000 steps on all training images of strokes")
    assert "choose one" in client.get("/en/training/estimate?data=/etc").json()["error"]
