"""Twenty kill -9 at random moments, twenty continued runs, each compared bit for bit with one that was never killed.

    python benchmarks/kills.py              about five minutes on two cores; exit code 1 if any end differs

Both lecture networks and the DenseNet in turn, on the first 24,000 training images, with a checkpoint every second in place of every
fifteen, so that most kills fall between checkpoints and some into the writing of one. The moment is drawn between the start of the
process and its end; a kill that comes too late, when the run has ended, is not counted and another is drawn.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from etude.errors import EtudeError
from etude.train import checkpoint
from etude.train import recipe as recipes
from etude.train.run import Run

NETWORKS = ("lecture_inception", "lecture_residual", "lecture_densenet")
CHILD = """
import sys
from pathlib import Path
from etude.train import engine, loop, recipe
from etude.train.run import Run
loop.CHECKPOINT_SECONDS = 1.0
engine.fit(recipe.from_toml(Path(sys.argv[1])), seed=int(sys.argv[2]), run=Run(Path(sys.argv[3])))
"""


def start(recipe: Path, seed: int, run: Run) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", CHILD, str(recipe), str(seed), str(run.folder)])


def same(one: Run, other: Run) -> bool:
    """The same metrics, times aside, and the same weights, optimiser and random state."""
    rows, others = ([{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()] for run in (one, other))
    tensors, also = (checkpoint.read(run.checkpoint)[0] for run in (one, other))
    return rows == others and tensors.keys() == also.keys() and all(torch.equal(tensors[key], also[key]) for key in tensors)


def step_of(run: Run) -> str:
    """Where a killed run will continue."""
    try:
        return f"checkpoint of step {checkpoint.read(run.checkpoint)[1]['step']}"
    except EtudeError:
        return "no checkpoint yet"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    moments, equal = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder, whole, seconds = Path(name), {}, {}
        for network in NETWORKS:
            recipe = recipes.change(recipes.load(f"{network}.lecture", "laptop"), ("images=24000",))
            (folder / f"{network}.toml").write_text(recipes.to_toml(recipe), encoding="utf-8")
            whole[network], began = Run(folder / network), time.monotonic()
            start(folder / f"{network}.toml", 0, whole[network]).wait()
            seconds[network] = time.monotonic() - began
        kill = late = 0
        while kill < options.kills:
            network = NETWORKS[kill % len(NETWORKS)]
            recipe_file, run = folder / f"{network}.toml", Run(folder / f"kill-{kill}-{late}")
            process = start(recipe_file, 0, run)
            moment = moments.uniform(0.05, 0.95) * seconds[network]
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if run.finished:
                late += 1
                continue
            kill, state = kill + 1, step_of(run)
            start(recipe_file, 0, run).wait()
            verdict = same(run, whole[network])
            equal += verdict
            print(f"kill {kill:2d}  {network:18s} after {moment:5.1f} s  {state:24s} {'the same' if verdict else 'DIFFERS'}", flush=True)
    print(f"{equal} of {options.kills} ends are bit-identical; {late} kills came too late")
    return int(equal != options.kills)


if __name__ == "__main__":
    sys.exit(main())
