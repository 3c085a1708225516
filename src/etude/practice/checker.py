"""Checks a learner's file in a process of its own. No torch here: this process only waits."""

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from etude.capacity import processors
from etude.errors import EtudeError, UsageError
from etude.explain.endless import never_ends
from etude.explain.findings import Finding
from etude.practice.exercises import LANGUAGES, Language, exercise
from etude.practice.printed import shown
from etude.practice.words import Diagnosis, diagnosis, say
from etude.shown import Shown
from etude.source import NOTEBOOK, Script
from etude.verification.apart import Failed, Server, call

CHILD = "etude.practice.judging"
MODULES = (CHILD, "torch._dynamo")  # that a process for checks has imported; the second, optimisers import on their first use
SECONDS, MEGABYTES = 30.0, 4_096
ENDS = ("time", "memory", "died")  # of a process, after which its output is that of the learner's code alone
Status = Literal["pass", "fail", "error", "not attempted"]


@dataclass(frozen=True)
class Outcome:
    """What a check found, before it is put into words; start-up included in its seconds.

    untouched  whether it is a starting file as it came
    first      whether something else may be wrong, which was not looked at
    made       how the learner's module was made where that was seen
    printed    what the code printed, in short
    cell       the number of the cell of a live session in which it stands
    """

    exercise: str
    file: Path
    status: Status
    findings: tuple[Finding, ...]
    seconds: float
    untouched: bool = False
    first: bool = False
    made: str = ""
    printed: tuple[str, ...] = ()
    cell: int | None = None

    def said(self, language: Language) -> "Checked":
        said = (replace(diagnosis(exercise(self.exercise), finding, language), cell=self.cell) for finding in self.findings)
        diagnoses = tuple(placed(one, self.file) for one in said)
        more = self.first and not self.untouched
        return Checked(self.exercise, self.status, diagnoses, self.seconds, language, self.untouched, more, self.made, self.printed)


class Mistaken(EtudeError):
    """What a check found, raised since somebody has asked for that."""


@dataclass(frozen=True, repr=False)
class Checked(Shown):
    """What a check found, in the learner's language; true where it has passed.

    live  whether it was asked for in a notebook, where help is a call and no command
    """

    exercise: str
    status: Status
    diagnoses: tuple[Diagnosis, ...]
    seconds: float
    language: Language
    untouched: bool = False
    first: bool = False
    made: str = ""
    printed: tuple[str, ...] = ()
    live: bool = False

    @property
    def passed(self) -> bool:
        return self.status == "pass"

    def __bool__(self) -> bool:
        return self.passed

    @property
    def verdict(self) -> str:
        """The first sentence: whether it has passed."""
        key = {"pass": self.key("passed"), "not attempted": "not_attempted"}.get(self.status, "not_yet")
        return say(self.language, key, name=self.exercise, seconds=self.seconds)

    @property
    def help(self) -> str:
        """Where to go on after a mistake."""
        return "" if self.passed else say(self.language, self.key("help"), name=self.exercise)

    def key(self, of: str) -> str:
        return f"{of}_live" if self.live else of

    @property
    def about(self) -> tuple[str, ...]:
        """How it was seen what is wrong, and whether that need not be all."""
        made = (say(self.language, "made", call=self.made),) if self.made else ()
        return (*made, say(self.language, "first")) if self.first else made

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is wrong, each at its place, and what is to be said about that."""
        return (*(one.placed(self.language) for one in self.diagnoses), *self.about)

    @property
    def message(self) -> str:
        return "\n".join((self.verdict, *self.sentences))

    def raise_for_mistake(self) -> None:
        """Raises  Mistaken unless it has passed."""
        if not self.passed:
            raise Mistaken("; ".join((self.verdict, *self.sentences)))

    def json(self) -> dict[str, Any]:
        """The same as `etude practice check --json` prints, as values."""
        return self.plain()

    def plain(self) -> dict[str, Any]:
        """For JSON: a line stands there where there is one, a cell in a notebook, and what was printed where something was."""
        diagnoses = [{key: value for key, value in vars(one).items() if value} for one in self.diagnoses]
        found = {"exercise": self.exercise, "status": self.status, "diagnoses": diagnoses, "seconds": round(self.seconds, 2)}
        return found | ({"printed": list(self.printed)} if self.printed else {})


def checked(
    name: str,
    file: Path,
    language: Language,
    server: Server | None = None,
    seconds: float = SECONDS,
    *,
    run_all: bool = False,
    called: str = "",
) -> Checked:
    """The result for one script or notebook, which may take so many seconds; with a `server` (see `warm`) without the start of Python.

    run_all  whether all of the file runs, and not only what the exercise asks for
    called   how the file calls what the exercise asks for, where that is another name
    Raises   UsageError for an unknown exercise, and for a file that is not there.
    """
    exercise(name)
    if not file.is_file():
        raise UsageError(f"{file}: no such file; `etude practice reset {name}` writes it anew")
    return outcome(name, file, server, seconds, run_all=run_all, called=called).said(language)


def outcome(
    name: str, file: Path, server: Server | None = None, seconds: float = SECONDS, *, run_all: bool = False, called: str = ""
) -> Outcome:
    """The same, of whatever is there under that path."""
    began = time.monotonic()
    if problem := unreadable(file):
        return Outcome(name, file, "error", (problem,), 0.0)
    starts = [exercise(name).starting_file(one) for one in LANGUAGES]
    arguments = {"name": name, "file": str(file.resolve()), "run_all": run_all, "called": called}
    try:
        answer = (server.call if server else call)(f"{CHILD}:check", arguments, seconds=seconds, megabytes=MEGABYTES)
    except Failed as error:
        printed = tuple(shown(error.output.splitlines())) if error.kind in ENDS else ()
        return Outcome(name, file, "error", (ended(error, seconds, file),), time.monotonic() - began, first=True, printed=printed)
    untouched = file.read_text(encoding="utf-8", errors="replace") in starts
    findings, printed = tuple(Finding(**finding) for finding in answer["findings"]), tuple(answer["printed"])
    seconds = time.monotonic() - began
    return Outcome(name, file, answer["status"], findings, seconds, untouched, answer["first"], answer["made"], printed)


def ended(error: Failed, seconds: float, file: Path) -> Finding:
    """How the process of a check has ended without an answer, with the line where it was."""
    said = str(error)
    line = line_in(said, file)
    if error.kind == "time":
        return out_of_time(Script.read(file).text, line, seconds)
    if error.kind == "memory":
        return Finding("memory", {"megabytes": f"{MEGABYTES:,}"}, line)
    if found := re.search(r"died of signal (\d+)|exit code (-?\d+)", said):
        return Finding("killed", {"signal": found.group(1)}, line) if found.group(1) else Finding("left", {"code": found.group(2)}, line)
    return Finding("died", {"text": said}, line)


def line_in(said: str, file: Path) -> int | None:
    """The line that a sentence names of that file, counted through a notebook; None where it names none, or one of another file."""
    if not (found := re.search(rf"\({re.escape(file.resolve().name)} (?:cell (\d+), )?line (\d+)\)", said)):
        return None
    cell, line = found.groups()
    return int(line) + (Script.read(file).cells[int(cell) - 1] - 1 if cell else 0)


def out_of_time(source: str, line: int | None, seconds: float) -> Finding:
    """Of code that was at that line when its time was up."""
    return never_ends(source, line) or Finding("time", {"seconds": f"{seconds:g}"}, line)


def unreadable(file: Path) -> Finding | None:
    """What stands under a path where a file is expected."""
    if file.is_symlink() and not file.exists():
        return Finding("broken_link", {"file": file.name})
    if not file.is_file():
        return Finding("no_file", {"file": file.name})
    return None if os.access(file, os.R_OK) else Finding("not_readable", {"file": file.name})


def placed(one: Diagnosis, file: Path) -> Diagnosis:
    """With the cell of a notebook in which its line is, and the line in that cell."""
    if one.line is None or file.suffix != NOTEBOOK:
        return one
    cell, line = Script.read(file).cell(one.line)
    return replace(one, line=line, cell=cell)


# ── Many checks ──────────────────────────────────────────────────────────────────────────────────────────────────────


def warm() -> Server:
    """A process for many checks, that has imported what they need."""
    return Server(MODULES)


def side_by_side(jobs: Sequence[tuple[str, Path]], seconds: float = SECONDS) -> Iterator[Outcome]:
    """The outcome for each exercise and path, in order, while others are checked."""
    count = min(at_once(), len(jobs)) or 1
    free = SimpleQueue[Server]()

    def one(name: str, file: Path) -> Outcome:
        server = free.get()
        try:
            return outcome(name, file, server, seconds)
        finally:
            free.put(server)

    pool = ThreadPoolExecutor(count)
    with contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown)
        for server in pool.map(lambda _: stack.enter_context(warm()), range(count)):
            free.put(server)
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield from pool.map(one, *zip(*jobs, strict=True)) if jobs else ()


def at_once() -> int:
    """As many processes as there are processors, and as fit into memory with all that each may take."""
    if not hasattr(os, "sysconf"):
        return min(processors(), 2)
    megabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(1, min(processors(), megabytes // MEGABYTES))
