"""Many runs in processes of their own, as tasks of Slurm's, on two machines of Ray's: they give what one after the other gives."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etude.jobs import cluster, local
from etude.jobs.cluster import Elsewhere, Ray
from etude.jobs.here import Here
from etude.jobs.lane import Order, Process
from etude.jobs.local import Processes
from etude.jobs.task import Engine
from etude.reproduce.reproduction import Reproduction, reproduce
from etude.train import checkpoint, loop
from etude.train.job import Interrupted, Job, Means, Progress
from etude.train.run import Run
from shell import run

ONLY = "lecture_[ir]*[nl]"  # the two of the lecture's slides
SMOKE = ("reproduce", "lecture", "--budget", "smoke", "--data", "strokes", "--only", ONLY)


def reproduced(root: Path, engine: Engine, means: Means = Means("cpu")) -> Reproduction:
    return reproduce("lecture", budget="smoke", data="strokes", only=ONLY, root=root, engine=engine, means=means)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that were done one after the other, with one thread."""
    root = tmp_path_factory.mktemp("alone")
    reproduced(root, Here(1))
    return root


def held(root: Path) -> dict[str, Any]:
    """Of every run its tensors and numbers, and what it stands on; somebody may be changing this checkout."""
    found: dict[str, Any] = {}
    for one in map(Run, sorted(path.parent for path in root.rglob("recipe.toml"))):
        tensors, progress = checkpoint.read(one.checkpoint)
        rows = [{key: value for key, value in row.items() if key != "seconds"} for row in one.curve()]
        kept = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
        files = sorted(path.name for path in one.folder.iterdir())
        stands_on = one.environment() | {"revision": ""}
        found[str(one.folder.relative_to(root))] = (kept, rows, progress["warning"], stands_on, one.recipe(), files)
    assert len(found) == 2
    return found


def test_a_process_that_is_killed_is_started_again(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, said = list[Process](), list[str]()

    def killed(order: Order) -> Process:
        begun.append(Process(order))
        if len(begun) == 1:
            begun[0].process.kill()
        return begun[-1]

    monkeypatch.setattr(local, "Process", killed)
    found = reproduced(tmp_path, Processes(2, 1), Means("cpu", say=said.append))
    assert (len(begun), len(found.results), found.environment["threads"]) == (3, 2, 1)
    assert "its process was ended from outside (signal 9); it goes on from the start" in said[0]
    assert held(tmp_path) == held(alone)


def test_the_tasks_of_a_script_for_slurm_do_the_whole_plan(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints a script for what is left, and what was found when nothing is; what a task runs, one of them runs here."""
    monkeypatch.chdir(tmp_path)
    asked = (*SMOKE, "--on", "slurm", "--runs", "runs")
    _, script, said = run(capsys, *asked)
    assert "#SBATCH --array=0-1\n" in script, said
    assert run(capsys, *asked, "--index", "0")[0] == 0
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "1"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "of the test images right" in done.stdout) == (0, True), done.stderr
    assert held(tmp_path / "runs") == held(alone)
    monkeypatch.setattr("etude.report.page.reproduction_page", lambda _: "a page")
    assert "page: runs/lecture-smoke.html" in run(capsys, *asked)[1]


@pytest.fixture
def two_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two nodes of a processor each."""
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'etude-cnn[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    each: dict[str, Any] = {"num_cpus": 1, "include_log_monitor": False}
    try:
        machines = Cluster(initialize_head=True, head_node_args={**each, "include_dashboard": False})
        machines.add_node(**each)
    except Exception as error:  # of many kinds: no room in memory, no port, a machine too busy for the seconds it gives a node
        pytest.skip(f"Ray's machines do not start here: {error}")
    monkeypatch.setenv("RAY_ADDRESS", machines.address)
    yield machines.address
    machines.shutdown()


def test_on_rays_machines_one_worker_killed_and_one_run_begun_here(
    two_machines: str, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that was begun here goes on there, in a worker that is killed, and then in another."""
    import ray

    begun, said = list[Job](), list[str]()
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(loop, "REPORT_SECONDS", 0.0)
        reproduced(tmp_path, Here(1), Means("cpu", watch=interrupted_at_step_four))

    class First(Elsewhere):
        def __init__(self, task: Any, means: Means, on: Ray) -> None:
            super().__init__(task, means, on)
            begun.append(task.job)
            if len(begun) == 1:
                worker: int = ray.get(self.worker.__ray_call__.remote(lambda worker: os.getpid()))
                os.kill(worker, signal.SIGKILL)

    monkeypatch.setattr(cluster, "Elsewhere", First)
    found = reproduced(tmp_path, Ray("ray"), Means("cpu", say=said.append))
    assert not ray.is_initialized()
    assert len(found.results) == 2
    assert begun == [begun[0], begun[1], begun[0]]
    assert "goes on from its last checkpoint" in said[0]
    assert any(re.search("continuing .* at step 4", text) for text in said)
    assert held(tmp_path) == held(alone)


def interrupted_at_step_four(job: Job, progress: Progress) -> None:
    if progress.step == 3:
        signal.raise_signal(signal.SIGINT)
