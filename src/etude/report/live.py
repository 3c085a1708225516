"""How far a training is: in a notebook a bar and a curve that grow, on a terminal one line."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from etude.shown import Shown
from etude.wording import percent

if TYPE_CHECKING:
    from etude.train.job import Progress

EVERY = 0.5  # seconds
POINTS = 400  # of a curve at most
WIDTH, HEIGHT = 480, 120
GREY, OURS, THEIRS = "#7a7f87", "#c2410c", "#2563eb"


def watcher() -> "Callable[[Progress], None]":
    """What shows how far a training is: nothing where nobody looks, as in a script whose output goes to a file."""
    if in_notebook():
        return Live()
    return on_terminal if sys.stderr.isatty() else lambda progress: None


def in_notebook() -> bool:
    """IPython is never imported for this: a notebook has done so."""
    return "IPython" in sys.modules and hasattr(sys.modules["IPython"].get_ipython(), "kernel")


def on_terminal(progress: "Progress") -> None:
    text = line(progress)[: shutil.get_terminal_size().columns - 1]  # a line that wraps could not be written over
    print(f"\r\x1b[2K{text}", end="\n" if progress.step == progress.steps else "", file=sys.stderr, flush=True)


def line(progress: "Progress") -> str:
    return (
        f"{progress.epoch:.2f}/{progress.epochs:g} epochs  {clock(progress.seconds_left)} left  loss {progress.loss:.4f}  "
        f"accuracy {percent(progress.accuracy)}  test {percent(progress.test_accuracy)}  {progress.images_per_second:,.0f} images/s  "
        f"step {progress.step}/{progress.steps}"
    )


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


class Live:
    """A display of a notebook that is written over as a training goes on."""

    def __init__(self) -> None:
        self.seen: list[Progress] = []
        self.handle: Any = None
        self.last = -math.inf

    def __call__(self, progress: "Progress") -> None:
        now, done = time.monotonic(), progress.step == progress.steps
        self.seen.append(progress)
        if len(self.seen) > POINTS:
            del self.seen[1::2]
        if now - self.last < EVERY and not done:
            return
        self.last, picture = now, Moment(progress, tuple(self.seen))
        if self.handle is None:
            self.handle = import_module("IPython.display").display(picture, display_id=True)
        else:
            self.handle.update(picture)


@dataclass(frozen=True, repr=False)
class Moment(Shown):
    """How far a training is, and how it came there."""

    now: "Progress"
    seen: "tuple[Progress, ...]"

    def __repr__(self) -> str:
        return line(self.now)

    def _repr_html_(self) -> str:
        share = self.now.step / self.now.steps
        bar = f'<div style="background:{GREY}40"><div style="width:{share:.1%};height:6px;background:{OURS}"></div></div>'
        words = f'<div style="color:{GREY};font-size:0.85rem"><span style="color:{OURS}">━ loss</span> '
        words += f'<span style="color:{THEIRS}">━ test accuracy</span>  {line(self.now)}</div>'
        return f'<div style="max-width:{WIDTH}px;font-family:system-ui,sans-serif">{bar}{self.curves()}{words}</div>'

    def curves(self) -> str:
        """Loss from 0 to its largest, test accuracy from 0 to 1, over the steps."""
        losses = [(one.step, one.loss) for one in self.seen]
        most = max((loss for _, loss in losses if math.isfinite(loss)), default=0) or 1
        accuracies = [(one.step, one.test_accuracy) for one in self.seen]
        lines = self.polyline(losses, most, OURS) + self.polyline(accuracies, 1, THEIRS)
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="loss and test accuracy">{lines}</svg>'

    def polyline(self, values: Iterable[tuple[int, float]], most: float, colour: str) -> str:
        places = (
            f"{WIDTH * step / self.now.steps:.1f},{HEIGHT * (1 - value / most):.1f}" for step, value in values if math.isfinite(value)
        )
        return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
