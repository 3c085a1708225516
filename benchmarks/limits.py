"""Runs what must not keep anyone waiting, each in a process of its own with start-up included, and says how long it took.

    python benchmarks/limits.py       about two minutes on two idle cores; exit code 1 where a limit is exceeded

The best of a few runs counts, since other programs may be running, and all have one thread: two that wait for each other on a busy
machine say nothing. CI does not run this: its machines are not idle.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from etude.practice.exercises import exercise
from etude.verification import apart

HOSTILE = Path(__file__).parent.parent / "tests" / "hostile"
STOPPED = 3.0

GRADIENTS = """
import torch, etude
from etude.explain.gradients import gradients
report = gradients(etude.build("resnet56"), torch.randn(128, 3, 32, 32), torch.randint(10, (128,)))
assert len(report.residual_blocks) == 27
"""
STOP = f"""
from etude.verification import apart
try:
    apart.call("etude.verification.request:check", {{"target": {str(HOSTILE / "loops.py") + ":Net"!r}, "against": "resnet20",
        "options": {{}}, "input_shape": None}}, seconds={STOPPED})
except apart.Failed as error:
    assert error.kind == "time"
"""


@dataclass(frozen=True)
class Limit:
    """Seconds that a command, or code where it begins with a line break, may take."""

    what: str
    seconds: float
    exit_code: int = 0
    runs: int = 2

    def best(self) -> float:
        """Seconds of the fastest run; one within the limit is enough. Raises RuntimeError where it does not end as it should."""
        arguments = ["-c", self.what] if self.what.startswith("\n") else ["-m", "etude", *self.what.split()[1:]]
        times: list[float] = []
        while len(times) < self.runs and (not times or min(times) > self.seconds):
            begin = time.perf_counter()
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - begin)
            if done.returncode != self.exit_code:
                raise RuntimeError(f"{self.what} ended with {done.returncode}: {done.stderr}")
        return min(times)


def checking(name: str, seconds: float) -> Limit:
    """A check of the last known mistake of an exercise, which takes longer than that of a right answer."""
    task = exercise(name)
    return Limit(f"etude practice check {name} --file {task.mistake(sorted(task.mistakes)[-1])}", seconds, exit_code=1)


LIMITS = (
    Limit("etude --help", 0.4, runs=5),
    Limit("etude ls", 0.4, runs=5),
    Limit("etude explain resnet152", 6),
    Limit("etude explain densenet264", 8),
    Limit("etude explain resnet1202", 15),
    Limit(f"etude explain resnet50 --diagram {Path(tempfile.gettempdir()) / 'etude-limits.svg'}", 8),
    Limit("etude verify lecture_inception --against lecture_inception", 6),
    Limit("etude verify resnet110 --against resnet110", 25),
    checking("googlenet_inception", 5),
    checking("densenet", 10),
    Limit(GRADIENTS, 20),
    Limit(STOP, STOPPED + 1),
)


def server_is_faster() -> float:
    """How many times faster three calls are where a server forks for them."""
    arguments = {"name": "conv1x1", "file": str(exercise("conv1x1").solution)}

    def seconds(server: apart.Server | None) -> float:
        begin = time.perf_counter()
        for _ in range(3):
            (server.call if server else apart.call)("etude.practice.judging:check", arguments)
        return time.perf_counter() - begin

    with apart.Server(["etude.practice.judging"]) as server:
        return seconds(None) / seconds(server)


def main() -> int:
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    exceeded = 0
    for limit in LIMITS:
        taken = limit.best()
        exceeded += taken > limit.seconds
        what = " ".join(limit.what.split())
        print(f"{taken:6.2f} s of {limit.seconds:4.1f} s{'  EXCEEDED' if taken > limit.seconds else '':10}  {what[:80]}", flush=True)
    ratio = server_is_faster()
    print(f"{ratio:6.1f} times at least 2{'  EXCEEDED' if ratio < 2 else '':10}  a check in a warm process is faster")
    return int(exceeded > 0 or ratio < 2)


if __name__ == "__main__":
    sys.exit(main())
