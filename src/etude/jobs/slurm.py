"""Jobs as an array of Slurm's: a script for `sbatch`, whose tasks do one job each by the command that printed it. Imports no torch."""

import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

SIGNAL_SECONDS = 120  # before the time of a task is over, it finishes its step and saves, as by Ctrl-C


def script(arguments: Sequence[str], indices: Sequence[int], threads: int, gpu: float, logs: Path) -> str:
    """A script that does these jobs of a plan, in this folder, which all machines see, by this Python.

    arguments  of `etude`, for the whole plan
    indices    of the jobs that are left to do
    logs       the folder where the tasks say what happens; Slurm wants it to be there
    """
    logs.mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, "-m", "etude", *arguments])
    return "\n".join(
        (
            "#!/bin/bash",
            "#SBATCH --job-name=etude",
            f"#SBATCH --array={ranges(indices)}",
            f"#SBATCH --cpus-per-task={threads}",
            *([f"#SBATCH --gpus={math.ceil(gpu)}"] if gpu else []),
            f'#SBATCH --output="{logs.resolve()}/slurm-%A_%a.txt"',
            f"#SBATCH --signal=B:INT@{SIGNAL_SECONDS}",
            "#SBATCH --requeue",
            "# Time, memory, partition and account are options of sbatch. When all tasks have ended, the command that printed this",
            "# script shows what was found; where runs are left, it prints a script for these.",
            f"cd {shlex.quote(str(Path.cwd()))}",
            f"export OMP_NUM_THREADS={threads}",
            f'exec {command} --index "$SLURM_ARRAY_TASK_ID"',
            "",
        )
    )


def ranges(indices: Sequence[int]) -> str:
    """`0-3,7`, of numbers in order."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and parts[-1][-1] == index - 1:
            parts[-1][1:] = [index]
        else:
            parts.append([index])
    return ",".join("-".join(map(str, part)) for part in parts)
