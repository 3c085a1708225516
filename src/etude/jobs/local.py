"""Jobs in processes of their own on this machine."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from etude.jobs.lane import Order, Process
from etude.jobs.lanes import Lanes
from etude.jobs.task import Outcome, Task, tasks_by_this_code
from etude.train import machine
from etude.train import recipe as recipes
from etude.train.job import Job, Means
from etude.train.store import Store


@dataclass(frozen=True)
class Processes:
    """So many processes at a time, each with so many threads; one that dies is started again."""

    at_once: int
    threads: int

    def tasks(self, jobs: Iterable[Job], store: Store, means: Means) -> Sequence[Task]:
        return tasks_by_this_code(jobs, store, means, threads=self.threads)

    def run(self, tasks: Sequence[Task], means: Means) -> Generator[Outcome | None]:
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
        data_dir=str(means.data_dir.resolve()) if means.data_dir else None,
        source=machine.source_digest(recipe.model),
    )
