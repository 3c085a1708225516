"""Jobs in processes of their own on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etude.jobs.lane import Order, Process
from etude.jobs.lanes import Lanes
from etude.jobs.task import Outcome, Task, run_for
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.run import Run
from etude.train.store import Store


@dataclass(frozen=True)
class Processes:
    """So many processes at a time, each with so many threads; one that dies is started again."""

    at_once: int
    threads: int

    def found(self, job: Job, store: Store, means: Means) -> Run:
        return run_for(job, store, means, threads=self.threads)

    def run(self, tasks: Sequence[Task], means: Means) -> Iterator[Outcome | None]:
        return Lanes(tasks, means, lambda task: Process(order_of(task, means, self.threads)), lambda: self.at_once).run()


def order_of(task: Task, means: Means, threads: int) -> Order:
    """What the process for a task is told."""
    recipe = task.job.recipe
    return Order(
        folder=str(task.run.folder.resolve()),
        recipe=recipes.as_table(recipe),
        seed=task.job.seed,
        threads=threads,
        device=means.device,
        data_dir=means.data_dir and str(means.data_dir.resolve()),
        source=machine.source_digest(recipe.model),
    )
