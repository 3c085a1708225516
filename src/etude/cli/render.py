"""What the commands share in showing things: tables, JSON, and progress on a terminal or line by line."""

import json
import math
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from etude.train.job import Progress

LINE_SECONDS = 10.0
WIDTH = 98  # of what is printed: a terminal of 100 columns


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), width: int | None = None) -> None:
    """Print a table, `width` wide at most or as the terminal is; columns with an index in `right` are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        drawn.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    if width is None and not sys.stdout.isatty():
        width = 160
    Console(width=width, highlight=False, markup=False).print(drawn)


def filled(text: str, begin: str) -> str:
    """The text at most WIDTH wide, every line indented as far as the first."""
    return textwrap.fill(text, WIDTH, initial_indent=begin, subsequent_indent=" " * max(len(begin), 4), break_on_hyphens=False)


def as_json(value: Any) -> None:
    """Print plain values as JSON; what is not a number becomes null."""
    click.echo(json.dumps(finite(value), indent=2, ensure_ascii=False))


def finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def say(message: str) -> None:
    """A remark, on standard error so that standard output stays clean."""
    end_line()
    click.echo(message, err=True)


def percent(fraction: float, digits: int = 2) -> str:
    return "–" if math.isnan(fraction) else f"{100 * fraction:.{digits}f} %"


_line_is_open = False


def end_line() -> None:
    """Go to a new line where the progress has left one open."""
    global _line_is_open
    if _line_is_open:
        click.echo(err=True)
        _line_is_open = False


def watcher() -> Callable[[str, "Progress"], None]:
    """A function that shows how far a run is: one line that changes on a terminal, a line every ten seconds elsewhere."""
    terminal = sys.stderr.isatty()
    last_name, last_time = "", 0.0

    def watch(name: str, progress: "Progress") -> None:
        global _line_is_open
        nonlocal last_name, last_time
        now, done = time.monotonic(), progress.step == progress.steps
        text = f"{name}  {line(progress)}"
        if terminal:
            text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps could not be written over
            click.echo(f"\r\x1b[2K{text}", err=True, nl=done)
            _line_is_open = not done
        elif done or name != last_name or now - last_time >= LINE_SECONDS:
            last_name, last_time = name, now
            click.echo(text, err=True)

    return watch


def line(progress: "Progress") -> str:
    return (
        f"{progress.epoch:.2f}/{progress.epochs:g} epochs  {clock(progress.seconds_left)} left  loss {progress.loss:.4f}  "
        f"accuracy {percent(progress.accuracy)}  test {percent(progress.test_accuracy)}  {progress.images_per_second:,.0f} images/s  "
        f"step {progress.step}/{progress.steps}"
    )


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"
