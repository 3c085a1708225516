"""Which engine is meant by what a person types."""

import torch

from etude.errors import UsageError, nearest
from etude.jobs.cluster import Ray
from etude.jobs.here import Here
from etude.jobs.local import Processes
from etude.jobs.task import Engine

PLACES = ("local", "ray", "ray://HOST:PORT", "slurm")


def engine_for(on: str, jobs: int | None, threads: int | None, gpu: float) -> Engine:
    """The engine at that place; at `slurm`, what a task of the script does.

    jobs     at a time; by default one here, and as many as there is room for elsewhere
    threads  of each; by default what this process has, shared by the jobs, and elsewhere one
    gpu      share of a GPU that each takes, elsewhere
    """
    if on == "local" and gpu:
        raise UsageError(f"--gpu {gpu:g} is a share that Ray and Slurm give; here all runs have the same device: --device cuda --jobs N")
    if on == "local" and (jobs or 1) == 1 and threads is None:
        return Here()
    if on == "local":
        at_once = jobs or 1
        return Processes(at_once, threads or max(1, torch.get_num_threads() // at_once))
    if on == "slurm":
        return Here(threads or 1, anywhere=True)
    if on == "ray" or on.startswith("ray://"):
        return Ray(on, threads or 1, gpu, jobs)
    raise UsageError(f"--on {on}: no such place; {nearest(on, PLACES)}")
