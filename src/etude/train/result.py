"""What a run tells while it trains, and what it has found in the end. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.errors import EtudeError
from etude.train.recipe import Recipe
from etude.train.run import Run


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
class RunResult:
    """A finished run.

    test_accuracy   fraction of the test images, after the last step
    metrics         one dict an evaluation: the untrained network first, then after every epoch and at the end
    seconds         from the first evaluation to the last, interruptions left out
    warning         why a continued run may not be bit-identical, or ""
    """

    folder: Path
    recipe: Recipe
    seed: int
    test_accuracy: float
    test_images: int
    seconds: float
    metrics: tuple[dict[str, Any], ...] = field(repr=False)
    warning: str = ""


class Interrupted(EtudeError):
    """Ctrl-C: the step was finished and everything saved."""

    exit_code = 130


def finished(run: Run) -> RunResult:
    """The result of a run that has ended, from its folder. Raises EtudeError when it has not."""
    numbers = run.result()
    return RunResult(
        folder=run.folder,
        recipe=run.recipe(),
        seed=numbers["seed"],
        test_accuracy=numbers["test_accuracy"],
        test_images=numbers["test_images"],
        seconds=numbers["seconds"],
        metrics=tuple(run.metrics()),
        warning=numbers["warning"],
    )
