"""What an engine is given, and what it gives back: where many jobs are done is behind one `Engine`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etude.train import machine
from etude.train.job import Job, Means
from etude.train.run import Run
from etude.train.store import Store


@dataclass(frozen=True)
class Task:
    """A job, and the folder of its run."""

    job: Job
    run: Run


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    why      its run has not ended; "" where it has
    no_data  whether that is for want of its data
    """

    task: Task
    why: str = ""
    no_data: bool = False


class Engine(Protocol):
    """Where jobs are done. Whichever it is gives the same numbers where machine, code and number of threads are the same."""

    def found(self, job: Job, store: Store, means: Means) -> Run:
        """The run of that job that it uses or continues, or a folder for one."""

    def run(self, tasks: Sequence[Task], means: Means) -> Iterator[Outcome | None]:
        """What comes of the tasks, in the order in which they end; None now and then while none does.

        By Ctrl-C, and when it is closed, every run finishes its step and is saved. Raises Interrupted then, and EtudeError where nothing
        can be done at all.
        """


def run_for(job: Job, store: Store, means: Means, *, threads: int | None = None, anywhere: bool = False) -> Run:
    """The run of that job by this code, or a folder for one.

    threads   that its process has; by default those of this one. Another number gives other numbers, and is another run
    anywhere  whether it may have been begun on another machine than this one
    """
    now: dict[str, Any] = {} if anywhere else machine.environment(machine.choose_device(means.device))
    now |= {"threads": threads} if threads else {}
    return store.found(job, now | {"source": machine.source_digest(job.recipe.model)})
