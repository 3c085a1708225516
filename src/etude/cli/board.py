"""How far many runs are that go on side by side: a table that changes on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from etude.cli.render import LINE_SECONDS
from etude.report.live import clock, line
from etude.wording import percent

if TYPE_CHECKING:
    from etude.train.job import Job, Progress

HEADINGS = ("run", "step", "loss", "test", "images/s", "left")


class Board:
    """What is known of the runs of a plan with so many jobs."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.over = jobs, 0
        self.running: dict[Job, Progress] = {}
        self.console = Console(stderr=True)
        self.live = Live(get_renderable=self.table, console=self.console, refresh_per_second=2, transient=True)
        self.lines: dict[Job, float] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On standard error, for as long as the context lasts."""
        if not sys.stderr.isatty():
            yield
            return
        with self.live:
            yield

    def watch(self, job: "Job", progress: "Progress") -> None:
        self.running[job] = progress
        now = time.monotonic()
        if not self.live.is_started and now - self.lines.get(job, 0.0) >= LINE_SECONDS:
            self.lines[job] = now
            click.echo(f"{job}  {line(progress)}", err=True)

    def ended(self, job: "Job") -> None:
        self.running.pop(job, None)
        self.over += 1
        if not self.live.is_started:
            click.echo(f"{job}  has ended; {self.count}", err=True)

    def say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    @property
    def count(self) -> str:
        return f"{self.over} of {self.jobs} runs have ended"

    def table(self) -> Group:
        """The runs that go on, as many as the terminal has lines for."""
        table = Table(*HEADINGS, box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        room = max(1, self.console.height - 4)
        for job, now in sorted(self.running.items(), key=lambda one: str(one[0]))[:room]:
            steps, left = f"{now.step:,}/{now.steps:,}", clock(now.seconds_left)
            table.add_row(str(job), steps, f"{now.loss:.4f}", percent(now.test_accuracy), f"{now.images_per_second:,.0f}", left)
        hidden = len(self.running) - room
        return Group(table, Text(self.count + (f", {hidden} more go on" if hidden > 0 else "")))
