"""One job after the other, in this process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from etude.data.sources import NoSource
from etude.jobs.task import Outcome, Task, run_for
from etude.train import engine
from etude.train.job import Interrupted, Job, Means
from etude.train.run import Run
from etude.train.store import Store


@dataclass(frozen=True)
class Here:
    """One job after the other, in this process. What a person can mend is raised, but for data that are not there.

    threads   by default as many as torch takes
    anywhere  as in `run_for`
    """

    threads: int | None = None
    anywhere: bool = False

    def found(self, job: Job, store: Store, means: Means) -> Run:
        return run_for(job, store, means, threads=self.threads, anywhere=self.anywhere)

    def run(self, tasks: Sequence[Task], means: Means) -> Iterator[Outcome]:
        missing: dict[str, str] = {}
        with engine.threads_kept():
            if self.threads:
                torch.set_num_threads(self.threads)
            for task in tasks:
                data = task.job.recipe.data
                if data not in missing:
                    try:
                        engine.run_to_result(task.job, task.run, means)
                    except NoSource as error:
                        missing[data] = str(error)
                    except Interrupted as error:
                        raise Interrupted(f"{str(error).partition(';')[0]}; the same command again continues there") from None
                yield Outcome(task, missing.get(data, ""), data in missing)
