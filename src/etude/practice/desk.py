"""Where checks are asked for again and again: one at a time, in a process that is kept warm, and each can be stopped. No torch."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from etude.practice import checker, editing
from etude.practice.checker import SECONDS, Outcome
from etude.practice.workbook import Workbook
from etude.verification.apart import Server

STEP_SECONDS = 0.02


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
        self._server: Future[Server] | None = None
        self._asked: dict[str, Asked] = {}
        self._found: dict[str, Found] = {}

    def check(self, book: Workbook, name: str) -> bool:
        """Check the file as it is when its turn comes, and note it; False when this was stopped, also by asking for the same again.

        Raises  EtudeError where the file is no text, or the process cannot be made.
        """
        with self._change:
            self._stop(name)
            asked = self._asked[name] = Asked()
        try:
            with self._turn:
                return self._check(book, name, asked)
        finally:
            with self._change:
                if self._asked.get(name) is asked:
                    del self._asked[name]

    def _check(self, book: Workbook, name: str, asked: Asked) -> bool:
        making = self.warm()
        while not making.done():
            if asked.stopped.wait(STEP_SECONDS):
                return False
        server = making.result()
        with self._change:
            if asked.stopped.is_set():
                return False
            asked.server = server
        file = book.file(name)
        text, code = editing.read(file, book.language), book.digest(name)
        outcome = checker.outcome(name, file, server, self.seconds)
        with self._change:
            asked.server = None
            if asked.stopped.is_set():
                return False
        book.note(name, outcome.status == "pass", digest=code, check=True)
        self._found[name] = Found(outcome, text.digest, self._found[name].number + 1 if name in self._found else 1)
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
            self._stop(name)

    def _stop(self, name: str) -> None:
        if asked := self._asked.pop(name, None):
            asked.stopped.set()
            if asked.server:
                asked.server.stop()

    def warm(self) -> "Future[Server]":
        """The process of the checks, which is being made where there is none, or it has died."""
        with self._change:
            if not self._server or (self._server.done() and (self._server.exception() or not self._server.result().is_ready)):
                self._server = Future()
                threading.Thread(target=make, args=[self._server], daemon=True).start()
            return self._server

    def close(self) -> None:
        """Nothing is checked any more. A process that is still being made ends with us."""
        for name in list(self._asked):
            self.stop(name)
        with self._turn:
            if self._server and self._server.done() and not self._server.exception():
                self._server.result().close()


def make(made: "Future[Server]") -> None:
    try:
        made.set_result(checker.warm())
    except Exception as error:
        made.set_exception(error)
