"""A process of its own that does one task, and what is heard of it. Imports no torch."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from etude.train.job import Progress


@dataclass(frozen=True)
class Order:
    """What the process of a lane is told.

    recipe  as a table
    source  digest of the code that the numbers are to come from
    """

    folder: str
    recipe: Mapping[str, Any]
    seed: int
    threads: int
    device: str | None
    data_dir: str | None
    source: str


@dataclass(frozen=True)
class End:
    """How a lane's process has ended.

    code  of its exit, below 0 for the signal that ended it
    why   it could not do the task, as far as it could say so
    """

    code: int
    why: str = ""
    no_data: bool = False

    @property
    def words(self) -> str:
        """How it died."""
        return f"its process was ended from outside (signal {-self.code})" if self.code < 0 else f"its process ended with code {self.code}"


@dataclass(frozen=True)
class News:
    """What is heard of a lane since it was asked last.

    files  of the run's folder that have changed, where it is a copy elsewhere
    """

    progress: Progress | None = None
    said: tuple[str, ...] = ()
    end: End | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


class Lane(Protocol):
    """Something that does one task."""

    def look(self) -> News:
        """What is new, at once."""

    def stop(self) -> None:
        """Have it end as by Ctrl-C: the step is finished and everything saved."""

    def close(self) -> None:
        """Let go of it, when it has ended."""


class Process:
    """A process here. It stops, as by Ctrl-C, when its standard input ends, which that also does when this process dies."""

    def __init__(self, order: Order) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "etude.jobs.child"],
            stdin=pipe,
            stdout=pipe,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": str(order.threads)},
            start_new_session=True,  # so that Ctrl-C comes from here alone: a second one would not wait for the step
        )
        self.heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.failed: dict[str, Any] = {}
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        with contextlib.suppress(OSError):  # it has died already
            self.standard_input.write(json.dumps(asdict(order)) + "\n")
            self.standard_input.flush()

    @property
    def standard_input(self) -> Any:
        return self.process.stdin

    def listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # it was killed while it said something
                self.heard.put(json.loads(line))

    def look(self, seconds: float = 0) -> News:
        """What is new; waits so long for something."""
        progress, said = None, list[str]()
        over = not self.listener.is_alive()  # asked before the last of it is heard
        seconds = 0 if over else seconds
        with contextlib.suppress(queue.Empty):
            while True:
                told = self.heard.get(timeout=seconds) if seconds else self.heard.get_nowait()
                seconds = 0
                progress = Progress(**told["progress"]) if "progress" in told else progress
                said += [told["said"]] if "said" in told else []
                self.failed = told if "why" in told else self.failed
        end = End(self.process.wait(), **self.failed) if over else None
        return News(progress, tuple(said), end)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.standard_input.close()

    def close(self) -> None:
        self.stop()
        self.process.wait()
        self.listener.join()
        assert self.process.stdout
        self.process.stdout.close()
