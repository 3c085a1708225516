"""Jobs on the machines of a Ray cluster, each of which has the same Etude installed.

The folder of a run stays here, and this process, which holds its lock, is the only one that writes it. Whoever does the job has a copy, of
which what changes comes back: nothing has to be shared, and a worker that goes on for a while after this process died harms nothing.
"""

import contextlib
import logging
import math
import os
import socket
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etude.errors import EtudeError, UsageError
from etude.files import whole_file
from etude.jobs.lane import End, News, Order, Process
from etude.jobs.lanes import Lanes
from etude.jobs.local import order_of
from etude.jobs.task import Outcome, Task, tasks_by_this_code
from etude.train.job import Job, Means
from etude.train.run import Run
from etude.train.store import Store

FILES = ("env.json", "recipe.toml", "metrics.jsonl", "last.safetensors", "result.json")  # each is of use with those before it
LOOK_SECONDS = 1.0  # for which a worker waits for news
STOP_SECONDS = 60.0  # for which one is waited for that was told to stop
CONNECT_SECONDS = 5.0
CLIENT_PORT = 10001  # of ray://HOST


@dataclass(frozen=True)
class Ray:
    """The machines of a cluster, each doing as many jobs at a time as it has room for.

    address  ray://HOST[:PORT], or "ray": what RAY_ADDRESS says, the cluster that this machine is in, or else this machine alone
    threads  of each job, which are so many processors to Ray
    gpu      share of one that each job takes
    at_once  jobs at most; by default what there is room for, and with a number also what the cluster would have to grow for
    """

    address: str
    threads: int = 1
    gpu: float = 0.0
    at_once: int | None = None

    def tasks(self, jobs: Iterable[Job], store: Store, means: Means) -> Sequence[Task]:
        return tasks_by_this_code(jobs, store, means, threads=self.threads, anywhere=True)

    def run(self, tasks: Sequence[Task], means: Means) -> Generator[Outcome | None]:
        with connected(self.address):
            if not self.room():
                gpu = f" and {self.gpu:g} of a GPU" if self.gpu else ""
                raise UsageError(f"no machine of the cluster has {self.threads} processors{gpu}; choose --threads or --gpu by `ray status`")
            try:
                yield from Lanes(tasks, means, lambda task: Elsewhere(task, means, self), self.room).run()
            except lost_errors() as error:
                raise EtudeError(f"{self.address}: {first_line(error)}; what came back is saved, the same command goes on") from error

    def room(self) -> int:
        import ray

        if self.at_once is not None:
            return self.at_once
        there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        wanted = {"CPU": self.threads, "GPU": self.gpu}
        return sum(min(int(one.get(name, 0) / share) for name, share in wanted.items() if share) for one in there)


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Ray, for as long as the context lasts; as it is, where somebody has connected already. Raises EtudeError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # or else it prints what it thinks of a worker's death
    try:
        import ray
    except ImportError as error:
        raise UsageError("--on ray needs Ray: pip install 'etude-cnn[ray]', here and on every machine of the cluster") from error
    if ray.is_initialized():
        yield
        return
    given = None if address == "ray" else address
    reached(given or os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(given, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        raise EtudeError(f"Ray at {given or 'this machine'}: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def lost_errors() -> tuple[type[Exception], ...]:
    """What Ray raises where a worker, or the whole cluster, is not there any more."""
    from ray.exceptions import RayError

    return (RayError, ConnectionError)


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def reached(address: str) -> None:
    """Raises UsageError at once where nobody listens there, for which Ray itself would wait."""
    try:
        place = urlsplit(address if "://" in address else f"ray://{address}")
        host, port = place.hostname, place.port or CLIENT_PORT
    except ValueError as error:
        raise UsageError(f"{address}: {error}; expected ray://HOST:PORT") from error
    if not host or address in ("auto", "local"):
        return
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise UsageError(f"{address}: no Ray there ({error.strerror or error}); `ray start --head` prints where it listens") from error


class Elsewhere:
    """A lane on some machine of the cluster, seen from here."""

    def __init__(self, task: Task, means: Means, on: Ray) -> None:
        import ray

        self.run, self.heard, self.end_by = task.run, False, math.inf
        with contextlib.ExitStack() as held:
            held.enter_context(self.run.locked())
            remote: Any = ray.remote(Worker)
            resources = {"num_cpus": on.threads, "num_gpus": on.gpu, "max_restarts": 0}
            self.worker = remote.options(**resources).remote(order_of(task, means, on.threads), read(self.run))
            self.asked = self.worker.look.remote()
            self.held = held.pop_all()

    def look(self) -> News:
        """What has come; a worker that cannot be reached any more has died."""
        import ray

        try:
            if not ray.wait([self.asked], timeout=0)[0]:
                return News(end=End(1, "it did not stop in time")) if time.monotonic() > self.end_by else News()
            news: News = ray.get(self.asked)
        except lost_errors() as error:
            return News(end=lost(error))
        self.heard = True
        write(self.run, news.files)
        if news.end is None:
            self.asked = self.worker.look.remote()
        return news

    def stop(self) -> None:
        self.end_by = time.monotonic() + (STOP_SECONDS if self.heard else 0)  # else it has no machine yet, or only just
        with contextlib.suppress(Exception):  # it cannot be told
            self.worker.stop.remote()

    def close(self) -> None:
        import ray

        with contextlib.suppress(Exception):
            ray.kill(self.worker)
        self.held.close()


def lost(error: Exception) -> End:
    """What is made of a worker that is not there any more: only what would happen to every one is a reason to give up."""
    first = str(error).strip().splitlines()[-1]
    return End(1, first) if "ModuleNotFoundError" in str(error) else End(-9)


class Worker:
    """A lane on this machine for somebody on another, as an actor of Ray's."""

    def __init__(self, order: Order, files: Mapping[str, bytes]) -> None:
        self.place = tempfile.TemporaryDirectory(prefix="etude-", ignore_cleanup_errors=True)
        self.run, self.folder = Run(Path(self.place.name)), order.folder
        write(self.run, files)
        self.sent = stamps(self.run)
        self.process = Process(replace(order, folder=self.place.name))

    def look(self) -> News:
        """What is new, after a moment."""
        news = self.process.look(LOOK_SECONDS)
        now = stamps(self.run)
        files = read(self.run, [name for name in now if now[name] != self.sent.get(name)])
        self.sent = now
        said = tuple(text.replace(self.place.name, self.folder) for text in news.said)
        end = news.end and replace(news.end, why=news.end.why.replace(self.place.name, self.folder))
        if end:
            self.place.cleanup()
        return replace(news, said=said, end=end, files=files)

    def stop(self) -> None:
        self.process.stop()


def stamps(run: Run) -> dict[str, int]:
    """When the files of a run that are there were changed; asked before they are read."""
    return {name: (run.folder / name).stat().st_mtime_ns for name in FILES if (run.folder / name).exists()}


def read(run: Run, names: Sequence[str] = FILES) -> dict[str, bytes]:
    """The files of a run, as they may be read while it is written: each before those that it needs."""
    return {name: (run.folder / name).read_bytes() for name in reversed(FILES) if name in names and (run.folder / name).exists()}


def write(run: Run, files: Mapping[str, bytes]) -> None:
    """Put them into a folder: each after those that it needs."""
    for name in FILES:
        if name in files:
            with whole_file(run.folder / name) as temporary:
                temporary.write_bytes(files[name])
