"""Checks a learner's file in a process of its own. No torch here: this process only waits."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from etude.errors import UsageError
from etude.explain.findings import Finding
from etude.practice.exercises import LANGUAGES, Language, exercise
from etude.practice.words import Diagnosis, diagnosis, messages
from etude.source import NOTEBOOK, Script
from etude.verification.apart import Failed, Server, call

CHILD = "etude.practice.check"
SECONDS, MEGABYTES = 30.0, 4_096


@dataclass(frozen=True)
class Checked:
    """What a check found, start-up included in its seconds; `untouched` is a starting file as it came, `made` how the module was made."""

    exercise: str
    status: Literal["pass", "fail", "error"]
    diagnoses: tuple[Diagnosis, ...]
    seconds: float
    untouched: bool = False
    made: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "pass"

    def plain(self) -> dict[str, Any]:
        """For JSON: a line stands there where there is one, a cell in a notebook."""
        diagnoses = [{key: value for key, value in vars(one).items() if value} for one in self.diagnoses]
        return {"exercise": self.exercise, "status": self.status, "diagnoses": diagnoses, "seconds": round(self.seconds, 2)}


def checked(
    name: str, file: Path, language: Language, server: Server | None = None, seconds: float = SECONDS, *, run_all: bool = False
) -> Checked:
    """The result for one script or notebook, which may take so many seconds; with a `server` (see `warm`) without the start of Python.

    run_all  whether all of the file runs, and not only what the exercise asks for
    Raises   UsageError for an unknown exercise, and for a file that is not there.
    """
    task = exercise(name)
    starts = [task.starting_file(one) for one in LANGUAGES]
    if not file.is_file():
        raise UsageError(f"{file}: no such file; `etude practice reset {name}` writes it anew")
    began = time.monotonic()
    arguments = {"name": name, "file": str(file.resolve()), "run_all": run_all}
    try:
        answer = (server.call if server else call)(f"{CHILD}:check", arguments, seconds=seconds, megabytes=MEGABYTES)
    except Failed as error:
        kind = error.kind if error.kind in messages() else "died"
        failed = Finding(kind, {"text": str(error), "seconds": f"{seconds:g}"})
        return Checked(name, "error", (diagnosis(task, failed, language),), time.monotonic() - began)
    diagnoses = tuple(placed(diagnosis(task, Finding(**finding), language), file) for finding in answer["findings"])
    untouched = file.read_text(encoding="utf-8", errors="replace") in starts
    return Checked(name, answer["status"], diagnoses, time.monotonic() - began, untouched, answer["made"])


def placed(one: Diagnosis, file: Path) -> Diagnosis:
    """With the cell of a notebook in which its line is, and the line in that cell."""
    if one.line is None or file.suffix != NOTEBOOK:
        return one
    cell, line = Script.read(file).cell(one.line)
    return replace(one, line=line, cell=cell)


def warm() -> Server:
    """A process for many checks, that has imported what they need."""
    return Server([CHILD, "torch._dynamo"])  # which optimisers import on their first use
