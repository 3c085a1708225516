"""A run before it has begun: a network by a recipe from a seed, and with what it is done. Imports no torch."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from etude.errors import EtudeError
from etude.train.recipe import Recipe
from etude.train.world import World


@dataclass(frozen=True)
class Job:
    """One run to do. Whoever does it gives the same numbers, on the same machine with the same code."""

    recipe: Recipe
    seed: int

    def __str__(self) -> str:
        return f"{self.recipe.title} seed {self.seed}"

    @property
    def place(self) -> Path:
        """Where its run lies in a store: resnet110+shortcut=B.he2015/laptop/seed-0."""
        title = f"{self.recipe.title}".replace("(", "+").replace(", ", "+").replace(")", "")
        title, budget = (re.sub(r"[^\w.+=@-]", "_", part) for part in (title, self.recipe.budget))
        return Path(title, budget, f"seed-{self.seed}")


@dataclass(frozen=True)
class Progress:
    """How far a run is. Loss and accuracy (a fraction) are means over the training images of this epoch so far."""

    step: int
    steps: int
    epoch: float
    epochs: float
    loss: float
    accuracy: float
    test_accuracy: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Means:
    """With what runs are done. Nothing in here is part of a recipe.

    device    "cpu", "cuda", "mps"; by default the best there is
    data_dir  the user's folder with the official files of the data set
    watch     called a few times a second with the job and its progress
    say       called with what a person may want to know, e.g. where data came from
    ended     called with a job among many that has ended, or was there already
    world     the processes that do a run together
    """

    device: str | None = None
    data_dir: Path | None = None
    watch: Callable[[Job, Progress], None] = lambda job, progress: None
    say: Callable[[str], None] = lambda message: None
    ended: Callable[[Job], None] = lambda job: None
    world: World = World()  # noqa: RUF009


class Diverged(EtudeError):
    """The loss was no longer a number at that step; `warning` is what is to be said of the run besides."""

    def __init__(self, step: int, message: str, warning: str = "") -> None:
        super().__init__(message)
        self.step, self.warning = step, warning


class Interrupted(EtudeError):
    """Ctrl-C: the step was finished and everything saved."""

    exit_code = 130
