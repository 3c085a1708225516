"""Many runs side by side: in processes here, and on two machines of a Ray cluster, where a worker and then the head are killed.

    python benchmarks/many.py           three times the lecture at `laptop`, five seeds: half an hour on two quiet cores

Two runs at a time, of a thread each: (1) `--jobs 2`; (2) `--on ray`, undisturbed, whose time against (1) is the overhead; (3) `--on ray`
with kill -9 of a worker that has saved once, then of the head and all that belongs to it, after which a new cluster stands up and the same
command goes on. The runs of all three are compared, every tensor of the checkpoint and every number of the curve, times aside; exit code 1
if any differs. (The two machines are two nodes on this one, with a processor each.) docs/records/many.json is the record.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from ray.cluster_utils import Cluster

from etude.files import write_text
from etude.train import checkpoint, machine
from etude.train.run import Run
from etude.train.store import Store

RECORD = Path(__file__).parent.parent / "docs" / "records" / "many.json"
RAY = ("--on", "ray", "--threads", "1")


@contextlib.contextmanager
def two_machines() -> Iterator[Cluster]:
    """A head without processors, and two nodes of one; the commands find it."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        os.environ["RAY_ADDRESS"] = cluster.address
        yield cluster
    finally:
        cluster.shutdown()


class Command:
    """`etude reproduce …` in a process of its own, and what it says."""

    def __init__(self, arguments: list[str], runs: Path, *more: str) -> None:
        self.runs, self.log, self.began = runs, runs.with_suffix(f".{time.time_ns()}.txt"), time.monotonic()
        command = [sys.executable, "-m", "etude", "reproduce", *arguments, "--runs", str(runs), "--json", *more]
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def ends(self) -> tuple[int, float]:
        """Its exit code, and how many seconds it took."""
        return self.process.wait(), time.monotonic() - self.began

    def until(self, done: Callable[[], bool]) -> None:
        """Waits, as long as it runs."""
        while self.process.poll() is None and not done():
            time.sleep(0.1)

    @property
    def said(self) -> list[str]:
        """Without how far the runs were."""
        return [line for line in self.log.read_text(encoding="utf-8").splitlines() if not re.search(" left  loss |have ended$", line)]

    @property
    def finished(self) -> int:
        return sum(run.finished for run in Store(self.runs).runs())

    @property
    def saved(self) -> int:
        """How many runs go on that have a checkpoint."""
        return sum(run.checkpoint.exists() and not run.finished for run in Store(self.runs).runs())


def disturbed(arguments: list[str], runs: Path) -> dict[str, Any]:
    """A worker is killed, then the head; on a new cluster the same command goes on to the end."""
    with two_machines() as cluster:
        first = Command(arguments, runs, *RAY)
        first.until(lambda: first.saved == 2)
        ours = psutil.Process().children(recursive=True)
        worker = next(one for one in ours if " ".join(one.cmdline()).startswith("ray::Worker"))
        worker.send_signal(signal.SIGKILL)
        first.until(lambda: any("goes on from" in line for line in first.said))
        wanted = first.finished + 2
        first.until(lambda: first.finished >= wanted and first.saved > 0)
        finished = first.finished
        head: Any = cluster.head_node
        cluster.remove_node(head, allow_graceful=False)
        killed = time.monotonic()
        code, seconds = first.ends()
        ended_after = time.monotonic() - killed
    with two_machines():
        again = Command(arguments, runs, *RAY)
        code_again, seconds_again = again.ends()
    return {
        "seconds": seconds + seconds_again,
        "finished when the head was killed": finished,
        "seconds until the command ended then": ended_after,
        "codes": [code, code_again],
        "said": [text.replace(str(runs), "runs") for text in (*first.said, *again.said)],
    }


def held(runs: Path) -> dict[str, Any]:
    """Of every finished run its tensors and numbers, times aside."""
    found = {}
    for run in (run for run in Store(runs).runs() if run.finished):
        tensors, progress = checkpoint.read(run.checkpoint)
        curve = [{key: value for key, value in row.items() if key != "seconds"} for row in run.curve()]
        kept = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
        found[str(run.folder.relative_to(runs))] = (kept, curve, progress["warning"])
    return found


def equal(want: dict[str, Any], found: dict[str, Any]) -> int:
    """How many runs are the same."""
    return sum(found.get(run) == one for run, one in want.items())


def training_seconds(runs: Path) -> float:
    return sum(Run(run.folder).result().seconds for run in Store(runs).runs() if run.finished)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--name", default="lecture")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", help="networks, as of `etude reproduce`")
    parser.add_argument("--data", help="as of `etude reproduce`")
    options = parser.parse_args()
    chosen = [*(["--only", options.only] if options.only else []), *(["--data", options.data] if options.data else [])]
    arguments = [options.name, "--seeds", str(options.seeds), *chosen]
    with tempfile.TemporaryDirectory() as name:
        local, ray, killed = (Path(name) / kind for kind in ("local", "ray", "killed"))
        code, here = Command(arguments, local, "--jobs", "2", "--threads", "1").ends()
        print(f"here, two processes: {here:.0f} s, exit code {code}", flush=True)
        with two_machines():
            there_code, there = Command(arguments, ray, *RAY).ends()
        print(f"on Ray: {there:.0f} s, exit code {there_code}", flush=True)
        happened = disturbed(arguments, killed)
        print(f"on Ray, a worker and the head killed: {happened['seconds']:.0f} s, exit codes {happened['codes']}", flush=True)
        want, there_found, killed_found = map(held, (local, ray, killed))
        same = {kind: equal(want, found) for kind, found in (("ray", there_found), ("killed", killed_found))}
        rows = {
            "local": {"seconds": here, "code": code, "training, all runs together": training_seconds(local)},
            "ray": {"seconds": there, "code": there_code, "training, all runs together": training_seconds(ray)},
            "killed": happened,
        }
    content = {
        "command": shlex.join(["python", "benchmarks/many.py", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "environment": machine.environment(torch.device("cpu")),
        "runs": len(want),
        "bit-identical to local": same,
        "overhead": there / here - 1,
        **rows,
    }
    write_text(RECORD, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(want)} runs; bit-identical to local: {same}; overhead of Ray {100 * (there / here - 1):.1f} %; record: {RECORD.name}")
    return 0 if want and set(same.values()) == {len(want)} else 1


if __name__ == "__main__":
    sys.exit(main())
