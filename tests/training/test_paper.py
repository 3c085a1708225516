"""`benchmarks/paper.py`: a toy that is killed and goes on, with a record of what came of it; what is done first; the rows of the papers."""

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from etude.errors import UsageError
from etude.jobs import lanes, local
from etude.jobs.here import Here
from etude.jobs.lane import End, News, Order, Process
from etude.jobs.local import order_of
from etude.models.network import Network
from etude.papers import load as load_paper
from etude.train import engine
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Job, Means
from etude.train.run import Run
from etude.train.store import Store

paper = importlib.import_module("paper")
TOY = """
data = "mnist"
mean = []
std = []
[networks]
lecture_residual = {}
[budget.paper]
steps = 400
batch = 1
label_smoothing = 0.0
shift = 0
flip = false
optimizer = { name = "sgd", lr = 0.001, momentum = 0.5, nesterov = false, weight_decay = 0.0 }
schedule = { kind = "constant" }
"""


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A recipe of 400 steps."""
    (tmp_path / "toy.toml").write_text(TOY, encoding="utf-8")
    return f"lecture_residual.{tmp_path}/toy.toml"


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder of 40 images to train on and 20 to test on, of two classes."""
    for index in range(60):
        place = tmp_path / "digits" / ("train" if index < 40 else "test") / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 255, (28, 28), np.uint8)
        Image.fromarray(pixels).save(place / f"{index}.png")
    return tmp_path / "digits"


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The script's exit code, in this process."""
    monkeypatch.setattr(sys, "argv", ["paper.py", *arguments])
    code: int = paper.main()
    return code


def numbers(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in run.curve()]


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


def test_a_run_whose_parent_ends_saves_and_ends_later_with_the_numbers_that_it_would_have_had(
    name: str, digits: Path, tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, whole = tmp_path / "runs", Run(tmp_path / "whole")
    job = Job(recipes.load(name, "paper").on(str(digits)), 0)
    run = Run(root / job.place)
    process = Process(order_of(paper.task_of(job, "mnist", Store(root)), Means("cpu"), 1))
    wait_until(lambda: len(run.curve()) > 1)
    process.stop()  # as when this process is killed: its end of the pipe is closed
    wait_until(lambda: process.look().end == End(Interrupted.exit_code))
    process.close()
    assert run.checkpoint.exists()
    assert not run.finished

    arguments = (name, "--runs", str(root), "--data", str(digits), "--device", "cpu")
    assert called(monkeypatch, *arguments) == 0
    (begun,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("lecture_residual.toy seed 0: from step ")]
    assert " 0 of 400" not in begun
    engine.run_job(job, whole, Means("cpu"))
    assert numbers(run) == numbers(whole)

    record = json.loads((root / "paper.json").read_text(encoding="utf-8"))
    row = record["runs"][0]
    assert (row["seed"], row["state"], row["step"], row["steps"], row["warning"]) == (0, "finished", 400, 400, "")
    assert row["test error"] == pytest.approx(100 * (1 - whole.result().test_accuracy))
    assert row["curve"] == run.curve()
    assert (row["environment"]["device"], row["environment"]["threads"]) == ("cpu", 1)
    assert record["recipes"]["lecture_residual.toy"]["data"] == str(digits)

    assert called(monkeypatch, *arguments, "--seeds", "3", "--plan") == 0
    assert "runs         1 of 3" in capsys.readouterr().out


def test_a_run_that_diverges_has_ended(
    name: str, digits: Path, tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paper, "Processes", lambda _, threads: Here(threads))
    (tmp_path / "toy.toml").write_text(TOY.replace("lr = 0.001", "lr = 1e30"), encoding="utf-8")
    arguments = (name, "--runs", str(tmp_path / "runs"), "--data", str(digits), "--device", "cpu")
    for _ in range(2):
        assert called(monkeypatch, *arguments) == 0
        assert "1 of 1 runs finished" in capsys.readouterr().out
    record = json.loads((tmp_path / "runs" / "paper.json").read_text(encoding="utf-8"))
    assert (record["runs"][0]["test error"], record["runs"][0]["failed"]) == (50.0, "")
    assert record["runs"][0]["diverged"] > 0


def wait_until(done: Callable[[], bool]) -> None:
    over = time.monotonic() + 100
    while not done():
        assert time.monotonic() < over
        time.sleep(0.05)


class Busy:
    """In place of a process: it would never end by itself, but for that of the last task, which fails."""

    happened: list[str]

    def __init__(self, order: Order) -> None:
        self.name, self.stopped = Path(order.folder).name, False
        self.happened.append(f"start {self.name}")

    def look(self) -> News:
        return News(end=End(1, "failed") if self.stopped or self.name == "3" else None)

    def stop(self) -> None:
        self.happened.append(f"stop {self.name}")
        self.stopped = True

    def close(self) -> None:
        pass


def tasks(root: Path, macs_and_steps: Sequence[tuple[int, int]]) -> list[Any]:
    """Tasks of ten steps, so many of them done."""
    found = []
    for seed, (macs, done) in enumerate(macs_and_steps):
        run = Run(root / f"{seed}")
        found.append(paper.Row(Job(recipes.load("resnet20.he2015", "paper"), seed), run, 10, 100, 10, macs))
        if done:
            run.start(found[-1].job, {"classes": [], "mean": 0, "std": 0, "threads": 1, "device": "cpu"})
            run.append({"step": done, "seconds": 1.0})
    return found


def test_the_fewest_multiply_adds_are_next_and_all_is_stopped_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "Process", Busy)
    monkeypatch.setattr(local, "order_of", lambda task, means, threads: Order(str(task.run.folder), {}, 0, threads, None, None, ""))
    monkeypatch.setattr(lanes, "POLL_SECONDS", 0.001)
    Busy.happened = []
    dear_new_begun_and_failing = tasks(tmp_path, [(900, 8), (30, 0), (30, 5), (1, 0)])
    record = paper.Record(tmp_path / "paper.json", dear_new_begun_and_failing, torch.device("cpu"))
    assert not paper.train(dear_new_begun_and_failing, local.Processes(2, 1), Means("cpu"), 0.1, record)
    assert Busy.happened == ["start 3", "start 2", "start 1", "stop 2", "stop 1"]
    rows = json.loads((tmp_path / "paper.json").read_text(encoding="utf-8"))["runs"]
    assert [(row["state"], row["step"], row["failed"]) for row in rows] == [
        *(("unfinished", 8, ""), ("to do", 0, ""), ("unfinished", 5, ""), ("to do", 0, "failed"))
    ]


def test_rows_are_those_of_the_papers_and_a_reencoding_trains_its_own(tmp_path: Path) -> None:
    every = [recipe.title for recipe, _ in paper.chosen([], None)]
    cells = {
        (Network(row.network, row.given), column)
        for published in map(load_paper, ("resnet", "identity_mappings", "densenet"))
        for table in published.results.values()
        for row in table.rows
        for column in row.values
        if row.network and published.networks[row.network].kind != "departs" and column.startswith(("c10", "svhn"))
    }
    assert len(every) == len(paper.rows()) == len(cells) + 1, "and one network once more, with batches of 64"
    assert {"resnet110.he2015", "plain56.he2015", "ablation_resnet110(shortcut=conv).he2016", "densenet_bc_190_40.huang2017"} <= {*every}
    (tmp_path / "dataset.toml").write_text('reencoded = "cifar10"', encoding="utf-8")
    chosen = paper.chosen(["*resnet164*", "resnet20(shortcut=B).he2015"], str(tmp_path))
    assert {(recipe.data, data) for recipe, data in chosen} == {(str(tmp_path), "cifar10")}
    assert [recipe.title for recipe, _ in chosen][-1] == "resnet20(shortcut=B).he2015"
    with pytest.raises(UsageError, match=r"densenet_40_12\S* is for svhn; choose rows of cifar10"):
        paper.chosen(["densenet_40_12(*svhn"], str(tmp_path))
    with pytest.raises(UsageError, match="no recipe `resnt20"):
        paper.chosen(["resnt20.he2015"], None)


def test_what_a_row_costs_is_measured_by_a_few_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paper, "MACS_TIMED", 1)
    assert called(monkeypatch, "resnet20.he2015", "--plan", "--seeds", "5", "--device", "cpu", "--runs", str(tmp_path)) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "resnet20" in line)
    assert "64,000 steps" in line
    assert "41 M" in line
    assert "0 of 5" in line
    assert paper.clock(59.6) == "60 s"
    assert [paper.clock(seconds) for seconds in (90, 5_400, 200_000, float("nan"))] == ["2 min", "1.5 h", "2.3 days", "–"]
