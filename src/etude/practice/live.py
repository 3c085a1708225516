"""Checks what somebody wrote in a live session, in this process: its code is that of the cell, or the file, in which it stands."""

import ast
import contextlib
import functools
import inspect
import io
import itertools
import linecache
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn

import torch
from torch import nn

from etude.errors import EtudeError, UsageError
from etude.explain.raised import explained
from etude.explain.slips import tree_of
from etude.practice.checker import Outcome, out_of_time
from etude.practice.exercises import Exercise
from etude.practice.judgement import Judgement
from etude.practice.judging import judged, status, undisturbed
from etude.practice.printed import Printed
from etude.practice.shown import shown
from etude.targets.statement import DEFINITIONS
from etude.targets.surroundings import CARDS, OnTheProcessor

NOWHERE = Path("a live session")  # where no code of an answer can be found


class TimeUp(BaseException):
    """So much time was given; no `except Exception` of a learner is meant for this."""


def outcome(task: Exercise, answers: Sequence[Any], seconds: float) -> Outcome:
    """What is wrong with an answer; an instance stands for its class. Raises UsageError for what cannot be one."""
    began = time.monotonic()
    given = named(task, [maker(task, answer) for answer in answers])
    file = next((Path(code.co_filename) for code in map(code_of, given.values()) if code), NOWHERE)
    if is_untouched(task, given, file):
        return Outcome(task.name, file, "not attempted", (), 0.0, untouched=True)
    printed = Printed(io.StringIO())
    with undisturbed(), on_the_processor(file), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            with at_most(seconds):
                judgement = judged(task, given, file)
        except TimeUp as error:
            late = out_of_time("".join(linecache.getlines(str(file))), line_of(error, file), seconds)
            judgement = Judgement([late], first=True)
        except EtudeError as error:
            if error.__cause__ is None:
                raise
            judgement = Judgement([explained(error.__cause__, file)], first=True)
    seconds, (cell, above) = time.monotonic() - began, cell_of(file)
    all_ = (*judgement.findings, *shown(judgement.findings, file))
    found = tuple(replace(one, line=one.line and one.line + above) for one in all_)
    said = tuple(printed.lines())
    return Outcome(task.name, file, status(found), found, seconds, first=judgement.first, made=judgement.made, printed=said, cell=cell)


# ── The answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def named(task: Exercise, answers: Sequence[Any]) -> Mapping[str, Any]:
    """What the exercise asks for in its order, by the names that it has in the session."""
    by_name = {name_of(answer): answer for answer in answers}
    if len(by_name) != len(task.callables):
        asked = ", ".join(task.callables)
        raise UsageError(f'{task.name} asks for {asked}: practice.check("{task.name}", {asked}); got {", ".join(by_name) or "nothing"}')
    return {name: by_name[name] for name in task.callables} if set(task.callables) <= by_name.keys() else by_name


def name_of(answer: Any) -> str:
    while isinstance(answer, functools.partial):
        answer = answer.func
    return getattr(answer, "__name__", type(answer).__name__)


def maker(task: Exercise, answer: Any) -> Any:
    """A class or a function as it is; of an instance its class, which the exercise makes anew with arguments of its own."""
    if isinstance(answer, nn.Module):
        if type(answer).__module__.startswith("torch."):
            raise UsageError(f"{task.name}: {type(answer).__name__}(…) is made already; pass a class, or a function that makes it")
        return type(answer)
    if not callable(answer):
        raise UsageError(f"{task.name}: expected a class or a function such as {task.callables[0]}, got {answer!r:.40}")
    return answer


def code_of(answer: Any) -> CodeType | None:
    """Of a function; of a class that of a method which stands in it."""
    while isinstance(answer, functools.partial):
        answer = answer.func
    methods = [vars(answer).get("forward"), *vars(answer).values()] if isinstance(answer, type) else [answer]
    codes = (getattr(inspect.unwrap(one), "__code__", None) for one in methods if callable(one))
    return next((code for code in codes if code), None)


def is_untouched(task: Exercise, given: Mapping[str, Any], file: Path) -> bool:
    """Whether all of it is the starting code."""
    start, own = ast.parse((task.folder / "start.py").read_text(encoding="utf-8")), tree_of(file)
    pairs = zip(task.callables, given, strict=True)
    return all(definition(own, name) == definition(start, asked) for asked, name in pairs)


def definition(tree: ast.Module, name: str) -> str:
    return next((ast.unparse(node) for node in tree.body if isinstance(node, DEFINITIONS) and node.name == name), "")


# ── Its run ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeUp after so many seconds, again every second until it is heard; only where there are alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeUp

    before, timer = signal.signal(signal.SIGALRM, ring), signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def on_the_processor(file: Path) -> contextlib.AbstractContextManager[object]:
    """Where there may be a graphics card, the check does without it."""
    source = "".join(linecache.getlines(str(file)))
    return OnTheProcessor() if torch.cuda.is_available() or any(card in source for card in CARDS) else contextlib.nullcontext()


def line_of(error: BaseException, file: Path) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def cell_of(file: Path) -> tuple[int | None, int]:
    """The number of the cell that Python knows by this name, as the notebook counts what it runs, and its empty lines at the top.

    IPython takes these away before it counts lines. Elsewhere there is no number.
    """
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        return None, 0
    _, label = shell.compile.format_code_name(str(file)) or ("", "")
    if not (found := re.search(r"\[(\d+)\]", label)):
        return None, 0
    number = int(found.group(1))
    lines = shell.history_manager.input_hist_raw[number].splitlines()
    return number, sum(1 for _ in itertools.takewhile(lambda line: not line.strip(), lines))
