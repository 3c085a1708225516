"""Where checks are asked for again and again: one at a time, in a process that is kept warm, and each can be stopped. No torch."""

import contextlib
import threading
import time
from dataclasses import dataclass, field

from etude.practice import checker
from etude.practice.checker import SECONDS, Outcome
from etude.practice.editing import digest
from etude.practice.workbook import Workbook
from etude.verification.apart import Failed, Server


@dataclass(frozen=True)
class Found:
    """What a check has found in the file of that digest; checks are numbered."""

    outcome: Outcome
    digest: str
    number: int


@dataclass(eq=False)
class Asked:
    """A check that somebody waits for, with the process in which it runs while it does."""

    began: float = field(default_factory=time.monotonic)
    stopped: threading.Event = field(default_factory=threading.Event)
    server: Server | None = None


class Desk:
    """One for all who ask; what was found last is remembered for each exercise."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._turn = threading.Lock()  # of the check that runs
        self._change = threading.Lock()  # so that a stop ends the check that was meant, and no later one
        self._server: Server | None = None
        self._asked: dict[str, Asked] = {}
        self._found: dict[str, Found] = {}

    def check(self, book: Workbook, name: str) -> bool:
        """Check the file as it is when its turn comes, and note it; False when this was stopped, also by asking for the same again."""
        self.stop(name)
        asked = self._asked[name] = Asked()
        try:
            with self._turn:
                return self._check(book, name, asked)
        finally:
            with self._change:
                if self._asked.get(name) is asked:
                    del self._asked[name]

    def _check(self, book: Workbook, name: str, asked: Asked) -> bool:
        server = self._ready()
        with self._change:
            if asked.stopped.is_set():
                return False
            asked.server = server
        file, code = book.file(name), book.digest(name)
        of_file = digest(file.read_bytes()) if file.is_file() else ""
        outcome = checker.outcome(name, file, server, self.seconds)
        with self._change:
            asked.server = None
            if asked.stopped.is_set():
                return False
        book.note(name, outcome.status == "pass", digest=code, check=True)
        self._found[name] = Found(outcome, of_file, self._found[name].number + 1 if name in self._found else 1)
        return True

    def found(self, name: str) -> Found | None:
        return self._found.get(name)

    def waits(self, name: str) -> float | None:
        """For how many seconds somebody has waited for a check of that exercise; None where nobody does."""
        asked = self._asked.get(name)
        return time.monotonic() - asked.began if asked else None

    def stop(self, name: str) -> None:
        """End the check of that exercise, with all that it has started."""
        with self._change:
            if asked := self._asked.get(name):
                asked.stopped.set()
                if asked.server:
                    asked.server.stop()

    def warm(self) -> None:
        """Make the process before somebody needs it; where a check or somebody else is at it, nothing."""
        if self._turn.acquire(blocking=False):
            try:
                with contextlib.suppress(Failed):  # which the check will say
                    self._ready()
            finally:
                self._turn.release()

    def _ready(self) -> Server:
        """The process, made anew when it has died."""
        if not self._server or not self._server.is_ready:
            if self._server:
                self._server.close()
            self._server = checker.warm()
        return self._server

    def close(self) -> None:
        """Nothing runs any more."""
        for name in list(self._asked):
            self.stop(name)
        with self._turn:
            if self._server:
                self._server.close()
