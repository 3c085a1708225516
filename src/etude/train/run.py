"""A run is a folder: recipe.toml, env.json, metrics.jsonl, last.safetensors, result.json. Imports no torch."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etude.errors import EtudeError
from etude.files import LOOK_SECONDS, is_held, write_text
from etude.shown import Shown
from etude.train import recipe as recipes
from etude.train.job import Job
from etude.train.recipe import Recipe

FORMAT = 2  # of the folder: 1 had mean and spread of the data in the recipe, and no training curve
# what can change a number: of the machine, the code and the data
BEHIND_NUMBERS = (
    *("source", "torch", "processor", "cpu_capability", "device", "device_name", "threads", "processes"),
    *("one_buffer", "compiled", "data"),
)


@dataclass(frozen=True, repr=False)
class RunResult(Shown):
    """A finished run.

    test_accuracy   fraction of the test images, after the last step, or where the recipe says otherwise
    curve           one dict a line of the metrics, those of training alone among them
    seconds         from the first evaluation to the last, interruptions left out
    warning         why a continued run may not be bit-identical, or ""
    diverged        the step at which the loss was no longer a number: the run ended there, and is given the accuracy of guessing
    """

    folder: Path
    recipe: Recipe
    seed: int
    test_accuracy: float
    test_images: int
    seconds: float
    curve: tuple[dict[str, Any], ...]
    warning: str = ""
    diverged: int | None = None

    @property
    def metrics(self) -> tuple[dict[str, Any], ...]:
        """One dict a test: of the untrained network, after every epoch, or a few times within one, and at the end."""
        return tuple(filter(is_test, self.curve))

    @property
    def fitted_accuracy(self) -> float | None:
        """At the end, the fraction of some training images as they are; None where the recipe tests none."""
        if self.recipe.fitted is None:
            return None
        return self.test_accuracy if self.diverged is not None else float(self.metrics[-1]["fitted_accuracy"])


@dataclass(frozen=True)
class Run:
    """The folder of one run, started or not."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def started(self) -> bool:
        return (self.folder / "recipe.toml").exists()

    @property
    def finished(self) -> bool:
        return (self.folder / "result.json").exists()

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    @property
    def running(self) -> bool:
        """Whether a process writes there now."""
        return is_held(self.lock)

    def job(self) -> Job:
        """What is done here. Raises EtudeError when the folder is no run, or one of another version."""
        return Job(self.recipe(), self.environment()["seed"])

    def recipe(self) -> Recipe:
        """The complete recipe of the run. Raises as `job`."""
        if not self.started:
            lists = "`etude runs ls` lists runs, `etude ls --weights` what Etude brings"
            raise EtudeError(f"{self.folder}: is not the folder of a run (it has no recipe.toml); {lists}")
        self.environment()
        return recipes.from_toml(self.folder / "recipe.toml")

    def environment(self) -> dict[str, Any]:
        """What the run stands on, its seed, and classes, mean and spread of the data included."""
        content = self._json("env.json", ())
        if content.get("format") != FORMAT:
            found = content.get("format", 1)
            raise EtudeError(f"{self.folder}: is a run of another version of Etude (format {found}, expected {FORMAT}); train again")
        return self._json("env.json", ("seed", "classes", "mean", "std", "threads", "device"))

    def result(self) -> RunResult:
        """What it has found. Raises EtudeError when the run has not ended."""
        job, keys = self.job(), ("test_accuracy", "test_images", "seconds", "warning")
        numbers = self._json("result.json", keys)
        found, curve = {key: numbers[key] for key in keys}, tuple(self.curve())
        if not any(map(is_test, curve)):
            raise EtudeError(f"{self.metrics_file}: holds no test, and the run has ended; train again")
        return RunResult(self.folder, job.recipe, job.seed, curve=curve, diverged=numbers.get("diverged"), **found)

    def curve(self) -> list[dict[str, Any]]:
        """Every line of the metrics, in order; an unfinished last line, as a crash leaves it, is left out.

        Training loss and accuracy are means: at a test over the epoch so far, elsewhere since the last line without a test.
        """
        if not self.metrics_file.exists():
            return []
        try:
            lines = self.metrics_file.read_text(encoding="utf-8").split("\n")[:-1]
            rows = [json.loads(line) for line in lines]
            if other := [row for row in rows if not isinstance(row, dict) or "step" not in row]:
                raise ValueError(f"a line holds {str(other[0])[:40]}, expected a table with its step")
            return rows
        except (OSError, ValueError) as error:
            raise EtudeError(f"{self.metrics_file}: is damaged ({error}); train again") from error

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of the curve at which the network was tested."""
        return list(filter(is_test, self.curve()))

    def start(self, job: Job, environment: Mapping[str, Any]) -> None:
        """Write what the run is, before its first step."""
        content = {"format": FORMAT, "seed": job.seed, **environment}
        lines = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items())  # a mean image on one
        write_text(self.folder / "env.json", "{\n" + ",\n".join(lines) + "\n}\n")
        write_text(self.folder / "recipe.toml", recipes.to_toml(job.recipe))

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one line to the metrics. It is sure to be on the disk only after `sync`."""
        with self.metrics_file.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")

    def sync(self) -> None:
        """Wait until the metrics are on the disk."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            os.fsync(file.fileno())

    def cut(self, rows: int) -> None:
        """Keep the first `rows` lines of the metrics: what was written after the checkpoint is written again.

        Raises EtudeError when there are fewer.
        """
        kept = self.curve()[:rows]
        if len(kept) < rows:
            raise EtudeError(f"{self.metrics_file}: has {len(kept)} lines, the checkpoint is {rows} lines on; train again")
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in kept))

    def finish(self, numbers: Mapping[str, Any]) -> None:
        """Write the final numbers, which ends the run."""
        write_text(self.folder / "result.json", json.dumps(numbers, indent=2) + "\n")

    def give_up(self, step: int, warning: str = "") -> None:
        """End a run whose loss was no longer a number at that step; among others it counts as guessing."""
        last = (self.metrics() or [{"test_images": 0, "seconds": 0.0}])[-1]
        chance = 1 / len(self.environment()["classes"])
        numbers = {"test_accuracy": chance, "test_images": last["test_images"], "seconds": last["seconds"], "warning": warning}
        self.finish({**numbers, "diverged": step})

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one writer; the system lets go of it when the process dies.

        Raises EtudeError when another process writes there, or the folder cannot be made or written.
        """
        import filelock  # which takes its time, and whoever only looks needs none

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.lock)
            lock.acquire(timeout=LOOK_SECONDS)
        except filelock.Timeout as error:
            raise EtudeError(f"{self.folder}: another process is writing this run; wait for it or choose another folder") from error
        except OSError as error:
            raise EtudeError(f"{self.folder}: cannot be written ({error.strerror}); choose another place with --runs") from error
        try:
            yield
        finally:
            lock.release()
            if not self.started:  # it failed before its first step: leave nothing behind
                with contextlib.suppress(OSError):
                    Path(lock.lock_file).unlink(missing_ok=True)
                    self.folder.rmdir()

    def _json(self, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise EtudeError(f"{path}: is not there; the run has not come that far") from error
        except (OSError, ValueError) as error:
            raise EtudeError(f"{path}: cannot be read ({error})") from error
        if not isinstance(content, dict):
            raise EtudeError(f"{path}: cannot be read (it holds a {type(content).__name__}, expected a table)")
        if missing := [key for key in keys if key not in content]:
            raise EtudeError(f"{path}: has no `{missing[0]}`; the run is damaged, train again")
        return content


def is_test(row: Mapping[str, Any]) -> bool:
    return "test_accuracy" in row


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between what two runs stand on, of the things that can change a number and that both know."""
    before = {"processes": 1, "one_buffer": False, "compiled": False, **before}  # of which nothing was said before there was another way
    return [f"{key} was {before.get(key)}, is {now[key]}" for key in BEHIND_NUMBERS if key in now and before.get(key) != now[key]]
