"""One job after the other, in this process."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import torch

from etude.data.sources import NoSource
from etude.jobs.task import Outcome, Task, tasks_by_this_code
from etude.train import engine
from etude.train.job import Interrupted, Job, Means
from etude.train.store import Store


@dataclass(frozen=True)
class Here:
    """One job after the other, in this process. What a person can mend is raised, but for data that are not there.

    threads   by default as many as torch takes
    anywhere  as in `tasks_by_this_code`
    """

    threads: int | None = None
    anywhere: bool = False

    def tasks(self, jobs: Iterable[Job], store: Store, means: Means) -> Sequence[Task]:
        return tasks_by_this_code(jobs, store, means, threads=self.threads, anywhere=self.anywhere)

    def run(self, tasks: Sequence[Task], means: Means) -> Generator[Outcome]:
        missing: dict[str, str] = {}
        with engine.threads_kept():
            if self.threads:
                torch.set_num_threads(self.threads)
            for task in tasks:
                data = task.job.recipe.data
                try:
                    result = None if data in missing else engine.run_to_result(task.job, task.run, means)
                except NoSource as error:
                    result, missing[data] = None, str(error)
                except Interrupted as error:
                    raise Interrupted(f"{str(error).partition(';')[0]}; the same command again continues there") from None
                yield Outcome(task.job, result, missing.get(data, ""), data in missing)
