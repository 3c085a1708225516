"""What an engine is given, and what it gives back: where many jobs are done is behind one `Engine`."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etude.train import machine
from etude.train.job import Job, Means
from etude.train.run import Run, RunResult
from etude.train.store import Store


@dataclass(frozen=True)
class Task:
    """A job, and the folder of its run."""

    job: Job
    run: Run


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    why      it has no result, "" where it has one
    no_data  whether that is for want of its data
    """

    job: Job
    result: RunResult | None
    why: str = ""
    no_data: bool = False


class Engine(Protocol):
    """Where jobs are done. Whichever it is gives the same numbers where machine, code and number of threads are the same."""

    def tasks(self, jobs: Iterable[Job], store: Store, means: Means) -> Sequence[Task]:
        """The jobs, each with the run that is used or continued, or a folder for one."""

    def run(self, tasks: Sequence[Task], means: Means) -> Generator[Outcome | None]:
        """What comes of the tasks, in the order in which they end; None now and then while none does.

        By Ctrl-C, and when it is closed, every run finishes its step and is saved. Raises Interrupted then, and EtudeError where nothing
        can be done at all.
        """


def tasks_by_this_code(
    jobs: Iterable[Job], store: Store, means: Means, *, threads: int | None = None, anywhere: bool = False
) -> tuple[Task, ...]:
    """The jobs with their runs by this code, or folders for them.

    threads   that a process has; by default those of this one. Another number gives other numbers, and is another run
    anywhere  whether a run may have been begun on another machine than this one
    """
    now: dict[str, Any] = {} if anywhere else machine.environment(machine.choose_device(means.device))
    now |= {"threads": threads} if threads else {}
    found: dict[Run, Job] = {}
    for job in jobs:
        found[store.found(job, now | {"source": machine.source_digest(job.recipe.model)}, found)] = job
    return tuple(Task(job, run) for run, job in found.items())
