"""Practice in a live session: a class that somebody has just written is checked where it is. Nothing is printed. No torch.

Progress is kept as on the terminal: in the learner's folder, or where there is none in one of the usual name.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etude.errors import EtudeError, UsageError
from etude.practice.checker import SECONDS, Checked, checked
from etude.practice.exercises import Language, exercise
from etude.practice.words import language_here, say
from etude.practice.workbook import USUAL, Workbook
from etude.shown import Shown
from etude.targets.target import Target


@dataclass(frozen=True, repr=False)
class Hint(Shown):
    """The hints that were read, and one more; `last` where there is none behind it."""

    exercise: str
    texts: tuple[str, ...]
    of: int
    language: Language

    @property
    def text(self) -> str:
        return self.texts[-1]

    @property
    def last(self) -> bool:
        return len(self.texts) == self.of


@dataclass(frozen=True, repr=False)
class Solution(Shown):
    """The code of a solution; "" where it is not shown yet, and false. Then the message says what to do."""

    exercise: str
    code: str
    message: str

    def __bool__(self) -> bool:
        return bool(self.code)


class Question(Shown):
    """One exercise: `practice["residual_block"]`."""

    def __init__(self, name: str) -> None:
        self.name = exercise(name).name

    @property
    def task(self) -> str:
        return exercise(self.name).task(book().language)

    def check(self, *answers: Any, seconds: float = SECONDS) -> Checked:
        return check(self.name, *answers, seconds=seconds)

    def hint(self) -> Hint:
        return hint(self.name)

    def solution(self, *, give_up: bool = False) -> Solution:
        return solution(self.name, give_up=give_up)


def check(name: str, *answers: Any, seconds: float = SECONDS) -> Checked:
    """What is wrong with an answer: a class, an instance of it, a function, or "FILE.py", "FILE.ipynb:CLASS" and the like.

    train_loop asks for two functions. What is written in the session runs in it, as its cell did: with a limit of time where there are
    alarms, which is not on Windows nor in another thread than the first, and with no other. A file runs apart, as on the terminal.
    Raises  UsageError for an unknown exercise, and for what cannot be an answer
    """
    task, own, digest = exercise(name), book(), ""
    match answers:
        case (str() as text,):
            target = Target.read(text)
            if target.kind != "file" or target.arguments or target.options:
                raise UsageError(f"{text}: expected FILE.py, FILE.ipynb or FILE.py:{task.callables[0]}, or what you wrote itself")
            file = Path(target.place)
            digest = own.digest(name) if file.resolve() == own.file(name) else ""
            found = checked(name, file, own.language, seconds=seconds, called=target.name)
            found = replace(found, status="not attempted") if found.untouched else found
        case _:
            from etude.practice import live

            found = live.outcome(task, answers, seconds).said(own.language)
    if not found.untouched:
        own.note(name, found.passed, digest=digest, check=True)
    return replace(found, live=True)


def hint(name: str) -> Hint:
    """One hint more each time, with those before it. Raises UsageError for an unknown exercise."""
    hints, own = exercise(name).hints, book()
    read = own.note(name, hints=min(own.work(name).hints + 1, len(hints))).hints
    return Hint(name, tuple(text[own.language] for text in hints[:read]), len(hints), own.language)


def solution(name: str, *, give_up: bool = False) -> Solution:
    """A solution once the exercise has passed, or for those who give up. Raises UsageError for an unknown exercise."""
    task, own = exercise(name), book()
    if own.work(name).solved or give_up:
        return Solution(name, task.solution.read_text(encoding="utf-8"), say(own.language, "solution"))
    return Solution(name, "", say(own.language, "solution_later", name=name))


def book() -> Workbook:
    """Where progress is kept. Raises EtudeError where it cannot be."""
    try:
        return Workbook.near() or Workbook.empty(Path.cwd() / USUAL, language_here())
    except OSError as error:
        raise EtudeError(
            f"{Path(USUAL).resolve()}: {error.strerror}; progress is kept there: go to a folder that can be written (os.chdir), or to one "
            "that `etude practice start FOLDER` has begun"
        ) from error
