"""What the commands share in showing things: a view by any of its faces, and progress on a terminal or line by line."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etude.files import write_text
from etude.report.live import line
from etude.report.plain import json_of
from etude.report.terminal import WIDTH, filled, table_of, text_of
from etude.views.view import View
from etude.wording import percent

if TYPE_CHECKING:
    from etude.train.job import Progress
    from etude.views.view import Diagram

__all__ = ["WIDTH", "as_json", "draw", "end_line", "faces", "filled", "given", "percent", "say", "show", "table", "taken", "watcher"]

LINE_SECONDS = 10.0

Command = TypeVar("Command", bound=Callable[..., Any])


def faces(command: Command) -> Command:
    """The options of a command that shows a view."""
    command = click.option("--json", "json_", is_flag=True, help="Print JSON.")(command)
    page = click.Path(path_type=Path, dir_okay=False)
    return click.option("--html", type=page, metavar="FILE.html", help="Write a page of it.")(command)


def given(**options: Any) -> list[str]:
    """The options that were given, as they are typed, for the command that shows the same: `--input 3x32x32 --run-all`."""
    words = list[str]()
    for name, value in options.items():
        for one in value if isinstance(value, tuple) else (value,):
            if one:
                words += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return words


_taken: "ContextVar[list[View] | None]" = ContextVar("taken", default=None)


@contextlib.contextmanager
def taken() -> "Iterator[list[View]]":
    """The views that commands show within the context, which does not show them."""
    views: list[View] = []
    before = _taken.set(views)
    try:
        yield views
    finally:
        _taken.reset(before)


def show(view: "View", html: Path | None = None, json_: bool = False) -> None:
    """Write the view as a page, and print it as JSON, or without either as text; where views are taken, give it."""
    if (views := _taken.get()) is not None:
        views.append(view)
        return
    if html:
        from etude.report.web import page_of

        write_text(html, page_of(view))
        say(f"{html}: {view.title}; open it in a browser")
    if json_:
        as_json(view.plain)
    elif not html:
        click.echo(text_of(view, *terminal()), nl=False)


def draw(file: Path, picture: "Diagram") -> None:
    """Write a picture; where views are taken, give it instead."""
    if (views := _taken.get()) is not None:
        views.append(View(picture.title, "", (picture,), None))
    else:
        from etude.report.pictures import svg_of, writable

        write_text(file, writable(svg_of(picture)))
        say(f"{file}: {picture.title}")


def terminal() -> tuple[int | None, bool]:
    """How wide the terminal is, and whether it has colours; standard output may lead elsewhere."""
    return (shutil.get_terminal_size().columns, True) if sys.stdout.isatty() else (None, False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a table as wide as the terminal at most; columns with an index in `right` are aligned to the right."""
    click.echo(table_of(columns, rows, right, *terminal()), nl=False)


def as_json(value: Any) -> None:
    """Print values as JSON; what is no number becomes null."""
    click.echo(json_of(value))


def say(message: str) -> None:
    """A remark, on standard error so that standard output stays clean."""
    end_line()
    click.echo(message, err=True)


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
