"""What becomes of many jobs, whatever does them: which begins when, which is tried again, what is said; and the script for Slurm."""

import importlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from etude.cli.board import Board
from etude.jobs import lanes
from etude.jobs.cluster import Ray
from etude.jobs.engines import engine_for
from etude.jobs.here import Here
from etude.jobs.lane import End, News
from etude.jobs.lanes import Lanes
from etude.jobs.local import Processes
from etude.jobs.slurm import script
from etude.jobs.task import Task, tasks_by_this_code
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.job import Interrupted, Job, Means, Progress
from etude.train.run import Run
from etude.train.store import Store
from places import ROOT
from shell import run

RECIPE = recipes.load("lecture_residual.lecture", "smoke")
KILLED, STOPPED = End(-9), End(Interrupted.exit_code)


class Told:
    """A lane that ends in the ways it is told, one after the other; None is a lane that only ends when it is stopped."""

    def __init__(self, task: Task, ends: list[End | None], happened: list[str], saves: bool) -> None:
        self.task, self.end, self.happened, self.saves = task, ends.pop(0), happened, saves
        happened.append(f"start {task.job.seed}")

    def look(self) -> News:
        run = self.task.run
        if self.saves:
            run.checkpoint.touch()
            os.utime(run.checkpoint, ns=(len(self.happened), len(self.happened)))
        if self.end and self.end.code == 0:
            run.start(self.task.job, {"classes": [], "mean": [], "std": [], "threads": 1, "device": "cpu"})
            run.append({"epoch": 1.0, "step": 1, "test_accuracy": 0.9, "test_images": 10})
            run.finish({"test_accuracy": 0.9, "test_images": 10, "seconds": 1.0, "warning": ""})
        return News(end=self.end)

    def stop(self) -> None:
        self.happened.append(f"stop {self.task.job.seed}")
        self.end = STOPPED

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "POLL_SECONDS", 0.001)


def tasks(root: Path, jobs: int) -> tuple[Task, ...]:
    found = tuple(Task(Job(RECIPE, seed), Run(root / str(seed))) for seed in range(jobs))
    for task in found:
        task.run.folder.mkdir()
    return found


@pytest.mark.parametrize(
    ("ends", "saves", "starts", "why"),
    [
        ([End(0)], False, 1, ""),
        ([KILLED, End(1), End(0)], False, 3, ""),
        ([KILLED] * 3, False, 3, "its process was ended from outside (signal 9), 3 times without getting further"),
        ([KILLED] * 9 + [End(0)], True, 10, ""),
        ([End(1, "the disk is full")], False, 1, "the disk is full"),
    ],
    ids=["ends", "dies and ends", "only dies", "gets further each time", "fails"],
)
def test_what_dies_is_started_again_while_it_gets_further(
    tmp_path: Path, ends: list[End | None], saves: bool, starts: int, why: str
) -> None:
    happened, said = list[str](), list[str]()
    several = Lanes(tasks(tmp_path, 1), Means(say=said.append), lambda task: Told(task, ends, happened, saves), lambda: 2)
    (outcome,) = filter(None, several.run())
    assert outcome.why.startswith(why)
    assert (bool(outcome.result), happened) == (not why, ["start 0"] * starts)
    assert len(said) == starts - 1


def test_ctrl_c_stops_all_that_go_on_and_begins_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = list[str]()
    several = Lanes(tasks(tmp_path, 3), Means(), lambda task: Told(task, [None], happened, False), lambda: 2)
    outcomes = several.run()
    assert next(outcomes) is None

    def pressed(seconds: float) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pressed)
    with pytest.raises(Interrupted, match="the same command again continues there"):
        list(outcomes)
    assert happened == ["start 0", "start 1", "stop 0", "stop 1"]


def test_without_its_data_no_other_job_of_a_set_is_begun(tmp_path: Path) -> None:
    happened = list[str]()
    several = Lanes(tasks(tmp_path, 3), Means(), lambda task: Told(task, [End(1, "no source", True)], happened, False), lambda: 1)
    outcomes = list(filter(None, several.run()))
    assert [(outcome.why, outcome.no_data) for outcome in outcomes] == [("no source", True)] * 3
    assert happened == ["start 0"]


def test_a_run_that_another_process_writes_is_waited_for(tmp_path: Path) -> None:
    happened, said = list[str](), list[str]()
    both = tasks(tmp_path, 2)
    several = Lanes(both, Means(say=said.append), lambda task: Told(task, [End(0)], happened, False), lambda: 1).run()
    with both[0].run.locked():
        first = next(outcome for outcome in several if outcome)
        assert first.job.seed == 1
        assert "another process writes" in said[0]
        both[0].run.start(both[0].job, {})
    assert [outcome.job.seed for outcome in several if outcome] == [0]
    assert happened == ["start 1", "start 0"]


def test_jobs_of_one_name_are_done_in_folders_of_their_own(tmp_path: Path) -> None:
    jobs = [Job(recipe, 0) for recipe in (RECIPE, recipes.change(RECIPE, ("epochs=2",)))]
    found = tasks_by_this_code(jobs, Store(tmp_path), Means("cpu"))
    assert [task.run.folder.name for task in found] == ["seed-0", "seed-0-2"]
    found[1].run.start(found[1].job, {"source": "other"})
    assert [task.run.folder.name for task in tasks_by_this_code(jobs, Store(tmp_path), Means("cpu"))] == ["seed-0", "seed-0-3"]


def test_another_number_of_threads_is_another_run(tmp_path: Path) -> None:
    (task,) = Processes(1, 1).tasks([Job(RECIPE, 0)], Store(tmp_path), Means("cpu"))
    (elsewhere,) = Ray("ray").tasks([Job(RECIPE, 0)], Store(tmp_path), Means("cpu"))
    assert elsewhere == task
    stands_on = machine.environment(machine.choose_device("cpu")) | {"source": machine.source_digest(RECIPE.model)}
    task.run.start(task.job, stands_on | {"classes": [], "mean": [], "std": [], "threads": 1, "processor": "of another machine"})
    found = [
        engine.tasks([task.job], Store(tmp_path), Means("cpu"))[0].run == task.run
        for engine in (Ray("ray"), Ray("ray", 2), Processes(1, 1))
    ]
    assert found == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "engine"),
    [
        (("local", None, None, 0), Here()),
        (("local", 2, 3, 0), Processes(2, 3)),
        (("local", None, 1, 0), Processes(1, 1)),
        (("slurm", None, None, 0), Here(1, anywhere=True)),
        (("ray://head:10001", None, 2, 0.5), Ray("ray://head:10001", 2, 0.5)),
    ],
)
def test_places(arguments: tuple[str, int | None, int | None, float], engine: object) -> None:
    assert engine_for(*arguments) == engine


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--on", "rya"), "--on rya: no such place; did you mean ray"),
        (("--gpu", "0.5"), "--gpu 0.5 is a share that Ray and Slurm give"),
        (("--index", "3"), "--index is for the tasks of a script"),
        (("--on", "slurm", "--index", "7"), "--index 7: the plan has 5 runs, counted from 0"),
        (("--on", "ray://127.0.0.1:1"), "ray://127.0.0.1:1: no Ray there (Connection refused)"),
        (("--on", "ray://127.0.0.1:port"), "expected ray://HOST:PORT"),
        (("--on", "ray://["), "ray://[: Invalid IPv6 URL; expected ray://HOST:PORT"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    arguments: Sequence[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = run(capsys, "reproduce", "lecture", "--budget", "smoke", *arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error


def test_without_ray_the_extra_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, error = run(capsys, "reproduce", "lecture", "--budget", "smoke", "--on", "ray")
    assert (code, error.count("\n")) == (2, 1)
    assert "pip install 'etude-cnn[ray]'" in error


def test_the_table_of_runs_has_as_many_as_there_are_lines_for() -> None:
    told = io.StringIO()
    board = Board(5)
    board.console = Console(file=told, width=120, height=6)
    for seed in range(3):
        board.watch(Job(RECIPE, seed), Progress(7, 1_000, 0.1, 2.0, 1.5, 0.25, 0.5, 800.0, 61.0))
    board.ended(Job(RECIPE, 3))
    board.console.print(board.table())
    headings, first, second, count = map(str.split, told.getvalue().splitlines())
    assert headings == ["run", "step", "loss", "test", "images/s", "left"]
    assert first == ["lecture_residual.lecture", "seed", "0", "7/1,000", "1.5000", "50.00", "%", "800", "1:01"]
    assert second[:3] == ["lecture_residual.lecture", "seed", "1"]
    assert " ".join(count) == "1 of 5 runs have ended, 1 more go on"


def test_the_page_of_what_machines_take_is_made_from_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    machines = importlib.import_module("machines")
    assert machines.PAGE.read_text(encoding="utf-8") == machines.page(), "run: python docs/machines.py"


def test_the_script_for_slurm_is_a_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my runs").mkdir()
    monkeypatch.chdir(tmp_path / "my runs")
    text = script(["reproduce", "lecture", "--data", "it's here"], [0, 1, 2, 4, 6, 7], 2, 0.5, Path("slurm"))
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    asked = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert asked[1:4] == ["array=0-2,4,6-7", "cpus-per-task=2", "gpus=1"]
    assert (tmp_path / "my runs" / "slurm").is_dir()
    assert asked[4] == f'output="{tmp_path.resolve()}/my runs/slurm/slurm-%A_%a.txt"'
    told = subprocess.run(
        ["bash", "-c", text.replace(f"exec {sys.executable}", "printf '%s|'")],
        env={**os.environ, "SLURM_ARRAY_TASK_ID": "4"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split("|")[:-1] == ["-m", "etude", "reproduce", "lecture", "--data", "it's here", "--index", "4"]
