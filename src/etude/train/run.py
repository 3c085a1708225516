"""A run is a folder: recipe.toml, env.json, metrics.jsonl, last.safetensors, result.json. Imports no torch."""

import contextlib
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from etude.errors import EtudeError
from etude.files import write_text
from etude.train import recipe as recipes
from etude.train.recipe import Recipe


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

    def recipe(self) -> Recipe:
        """The complete recipe of the run. Raises EtudeError when the folder is no run."""
        if not self.started:
            raise EtudeError(f"{self.folder}: is not the folder of a run (it has no recipe.toml); `etude runs ls` lists runs")
        return recipes.from_toml(self.folder / "recipe.toml")

    def holds(self, recipe: Recipe, seed: int) -> bool:
        """Whether this is a run of that recipe and seed; mean and spread that came from the data do not count."""
        mine = self.recipe() if recipe.mean else dataclasses.replace(self.recipe(), mean=(), std=())
        return mine == recipe and self.environment()["seed"] == seed

    def environment(self) -> dict[str, Any]:
        """What the run stands on, its seed and classes included."""
        return self._json("env.json", ("seed", "classes", "threads", "device"))

    def result(self) -> dict[str, Any]:
        """The final numbers. Raises EtudeError when the run has not ended."""
        return self._json("result.json", ("seed", "test_accuracy", "test_images", "seconds", "warning"))

    def metrics(self) -> list[dict[str, Any]]:
        """One dict an evaluation, in order; an unfinished last line, as a crash leaves it, is left out."""
        if not self.metrics_file.exists():
            return []
        try:
            lines = self.metrics_file.read_text(encoding="utf-8").split("\n")[:-1]
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise EtudeError(f"{self.metrics_file}: is damaged ({error}); train again") from error

    def start(self, recipe: Recipe, environment: dict[str, Any]) -> None:
        """Write what the run is, before its first step."""
        write_text(self.folder / "env.json", json.dumps(environment, indent=2, ensure_ascii=False) + "\n")
        write_text(self.folder / "recipe.toml", recipes.to_toml(recipe))

    def append(self, row: dict[str, Any]) -> None:
        """Add one line to the metrics."""
        with self.metrics_file.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def cut_metrics(self, rows: int) -> None:
        """Keep the first `rows` lines: what was written after the checkpoint is written again.

        Raises EtudeError when there are fewer.
        """
        kept = self.metrics()[:rows]
        if len(kept) < rows:
            raise EtudeError(f"{self.metrics_file}: has {len(kept)} lines, the checkpoint is {rows} lines on; train again")
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in kept))

    def finish(self, result: dict[str, Any]) -> None:
        write_text(self.folder / "result.json", json.dumps(result, indent=2) + "\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one writer; the system lets go of it when the process dies.

        Raises EtudeError when another process writes there, or the folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / ".lock")
            lock.acquire(timeout=0)
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
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            missing = set(keys) - content.keys()
        except FileNotFoundError as error:
            raise EtudeError(f"{path}: is not there; the run has not come that far") from error
        except (OSError, ValueError) as error:
            raise EtudeError(f"{path}: cannot be read ({error})") from error
        if missing:
            raise EtudeError(f"{path}: has no `{min(missing)}`; it is not of this version of Etude, train again")
        return content


def new(root: Path, recipe: Recipe, seed: int) -> Run:
    """A run in a folder that was not there before: ROOT/NAME/BUDGET-seed0, or with -2, -3 … behind it.

    Making the folder claims it, so two processes never get the same one.
    """
    parent = root / recipe.name
    base = f"{recipe.budget}-seed{seed}"
    for number in itertools.count(1):
        folder = parent / (base if number == 1 else f"{base}-{number}")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            return Run(folder)
        except FileExistsError:
            if not folder.is_dir():
                raise EtudeError(f"{folder}: is in the way; it is a file, expected a folder") from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise EtudeError(f"{root}: cannot be written ({reason}); choose another place with --runs") from error
    raise AssertionError


def find(root: Path) -> list[Run]:
    """Every run below `root`, in the order of their paths."""
    return [Run(path.parent) for path in sorted(root.rglob("recipe.toml"))]
