"""Where runs lie, and which can be used again. Imports no torch."""

import contextlib
import itertools
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.errors import EtudeError
from etude.train.job import Job
from etude.train.run import Run, differences


@dataclass(frozen=True)
class Store:
    """A folder of runs: ROOT/NETWORK.RECIPE/BUDGET/seed-0, and with -2, -3 … behind it for runs of the same name."""

    root: Path

    def places(self, job: Job) -> Iterator[Run]:
        """The folders in which a run of that job may lie, in order, without end."""
        first = self.root / job.place
        for number in itertools.count(1):
            yield Run(first if number == 1 else first.with_name(f"{first.name}-{number}"))

    def found(self, job: Job, now: Mapping[str, Any], taken: Collection[Run] = ()) -> Run:
        """The run of that job by the same code on the same machine, finished or not; otherwise a folder not used yet.

        now    what a run of the job would stand on, as in env.json; what it leaves out is not asked for
        taken  folders for other jobs that are to be done beside this one
        """
        for run in self.places(job):
            if run in taken:
                continue
            if not run.started:
                return run
            with contextlib.suppress(EtudeError):  # a damaged folder, or one of another version, is left as it is
                if run.job() == job and not differences(run.environment(), now):
                    return run
        raise AssertionError

    def new(self, job: Job) -> Run:
        """A folder for that job that was not there before. Making it claims it, so two processes never get the same one."""
        for run in self.places(job):
            try:
                run.folder.parent.mkdir(parents=True, exist_ok=True)
                run.folder.mkdir()
                return run
            except FileExistsError:
                if not run.folder.is_dir():
                    raise EtudeError(f"{run.folder}: is in the way; it is a file, expected a folder") from None
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise EtudeError(f"{self.root}: cannot be written ({reason}); choose another place with --runs") from error
        raise AssertionError

    def runs(self) -> list[Run]:
        """Every run that was started, in the order of their paths."""
        return [Run(path.parent) for path in sorted(self.root.rglob("recipe.toml"))]
