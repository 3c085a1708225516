"""One run on two processes: killed ten times and continued each time, and its accuracy beside that of one process alone.

    python benchmarks/processes.py         ten minutes on two cores; writes docs/records/processes.json; exit code 1 if an end differs

By torchrun, over gloo, a thread a process, with a checkpoint every second in place of every fifteen. A small DenseNet on drawn strokes,
by batch norms of each process and by synchronised ones. A kill is a kill -9 of the one or the other process a random moment behind a random
step; a run is killed once, continued by the same command, and compared bit for bit with one that was never killed.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from etude.files import write_text
from etude.train import engine, machine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.run import Run
from etude.train.world import joined
from kills import same, step_of

RECORD = Path(__file__).parent.parent / "docs" / "records" / "processes.json"
SETTINGS = ("model.growth_rate=4", "images=3200", "batch=66")
SYNCHRONISED = 'batch_norm="synchronised"'
RECIPE = recipes.change(recipes.load("lecture_densenet.lecture", "smoke").on("strokes"), SETTINGS)
CHILD = """
import os, sys
from pathlib import Path
from etude.cli import main
from etude.train import loop
loop.CHECKPOINT_SECONDS = 1.0
Path(sys.argv[1], os.environ["RANK"]).write_text(str(os.getpid()))
main(sys.argv[2:])
"""


def torchrun(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--", *arguments]  # without it --run would be torchrun's


def started(folder: Path, run: Run) -> "subprocess.Popen[str]":
    """Two processes, each of which leaves its number in `folder`."""
    for rank in "01":
        (folder / rank).unlink(missing_ok=True)
    (folder / "child.py").write_text(CHILD, encoding="utf-8")
    each = (f"--set={setting}" for setting in SETTINGS)
    train = ("train", "lecture_densenet.lecture", "--budget", "smoke", "--data", "strokes", "--run", str(run.folder), *each)
    return subprocess.Popen(
        torchrun(str(folder / "child.py"), str(folder), *train), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def kills(count: int, seed: int) -> list[dict[str, Any]]:
    """What came of so many kills."""
    moments, found = random.Random(seed), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as name:
        folder, whole = Path(name), Run(Path(name) / "whole")
        started(folder, whole).communicate()
        steps = whole.metrics()[-1]["step"]
        for number in itertools.count():
            if len(found) == count:
                return found
            run, rank, step, more = Run(folder / f"run-{number}"), moments.choice("01"), moments.randrange(steps), moments.uniform(0, 0.5)
            process = started(folder, run)
            while process.poll() is None and (not (folder / rank).exists() or len(run.curve()) < step):
                time.sleep(0.05)
            time.sleep(more)
            if run.finished:  # too late
                process.communicate()
                continue
            os.kill(int((folder / rank).read_text(encoding="utf-8")), signal.SIGKILL)
            killed = time.monotonic()
            said = process.communicate()[1].splitlines()
            row: dict[str, Any] = {"process": int(rank), "step": step, "ended after": round(time.monotonic() - killed, 1)}
            row |= {"exit code": process.returncode, "errors": sum(line.startswith("error: ") for line in said), "at": step_of(run)}
            started(folder, run).communicate()
            again = Run(run.folder)
            found.append(row | {"same": again.finished and same(again, whole)})
            print(json.dumps(found[-1]), flush=True)
    raise AssertionError


def accuracies(folder: Path, seeds: int) -> None:
    """One epoch by every seed, as one of the processes that are here."""
    with joined() as world:
        for seed, whole in itertools.product(range(seeds), (False, True)):
            recipe = recipes.change(RECIPE, (SYNCHRONISED,)) if whole else RECIPE
            engine.run_job(Job(recipe, seed), Run(folder / f"{whole}-{seed}"), replace(Means("cpu"), world=world))


def compared(seeds: int) -> dict[str, Any]:
    """Test accuracies in per cent by seed: of one process, of two, of two with synchronised batch norm."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(torchrun(__file__, "--accuracies", name, "--seeds", str(seeds)), check=True)
        ran = {which: [Run(Path(name) / f"{whole}-{seed}").result() for seed in range(seeds)] for which, whole in KINDS.items()}
        ran = {"one": [engine.fit(RECIPE, seed=seed, run=Path(name) / f"one-{seed}") for seed in range(seeds)], **ran}
    found: dict[str, Any] = {}
    for which, results in ran.items():
        values = [round(100 * result.test_accuracy, 2) for result in results]
        found[which] = {"values": values, "mean": statistics.mean(values), "spread": statistics.stdev(values)}
    losses = [[row["train_loss"] for row in ran[which][0].curve[1:21]] for which in ("one", "two, synchronised")]
    found["largest difference of a loss in 20 steps"] = max(abs(one - other) for one, other in zip(*losses, strict=True))
    return found


KINDS = {"two": False, "two, synchronised": True}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--accuracies", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.accuracies:
        accuracies(options.accuracies, options.seeds)
        return 0
    command = f"python benchmarks/processes.py --kills {options.kills} --seeds {options.seeds}"
    record: dict[str, Any] = {
        "command": command,
        "environment": machine.environment(torch.device("cpu")),
        "recipe": recipes.as_table(RECIPE),
    }
    record |= {"kills": kills(options.kills, seed=0), "accuracies": compared(options.seeds)}
    print(json.dumps(record["accuracies"]))
    write_text(RECORD, json.dumps(record, indent=1) + "\n")
    return int(not all(row["same"] and row["errors"] <= 1 for row in record["kills"]))


if __name__ == "__main__":
    sys.exit(main())
