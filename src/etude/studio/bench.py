"""Where a person's code runs for the studio: apart, one piece of work at a time, to be stopped at any time. No torch."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal

from etude.errors import EtudeError
from etude.practice.checker import MODULES
from etude.verification.apart import Server

State = Literal["waiting", "running", "done", "failed", "stopped"]
Does = Callable[[Server], Any]
KEPT, MOST_WAITING = 64, 8


class Piece:
    """A piece of work, which is given the process in which it may run code.

    began    when it was asked for, by the clock that never goes back
    value    what it gave, once it is done; `message` says why it failed
    """

    def __init__(self, does: Does) -> None:
        self.does = does
        self.began = time.monotonic()
        self.state: State = "waiting"
        self.value: Any = None
        self.message = ""
        self.ended = threading.Event()

    def end(self, state: State, value: Any = None, message: str = "") -> None:
        """The first end counts: what was stopped stays so."""
        if not self.ended.is_set():
            self.state, self.value, self.message = state, value, message
            self.ended.set()


def called(function: str, arguments: Mapping[str, Any], seconds: float, megabytes: int) -> Does:
    """The work of a piece that is one call."""
    return lambda server: server.call(function, arguments, seconds=seconds, megabytes=megabytes)


def warm() -> Server:
    """A process that has imported what code of all rooms is given to."""
    return Server([*MODULES, "etude.verification.request", "etude.views.own", "etude.views.reading"])


class Bench:
    """All pieces of this studio, by what they are of, and the process for them, which is made once and again when it has died."""

    def __init__(self, make: Callable[[], Server] = warm) -> None:
        self.make = make
        self.pieces: OrderedDict[Hashable, Piece] = OrderedDict()
        self.known = threading.RLock()  # so that a stop ends the piece that was meant, and no later one
        self.turn = threading.Lock()
        self.running: Piece | None = None
        self.server: Server | None = None
        self.closed = False

    def piece(self, key: Hashable, does: Does) -> Piece:
        """What is known by that key, or else begins when its turn comes. Raises EtudeError where too many wait."""
        with self.known:
            if key in self.pieces:
                self.pieces.move_to_end(key)
                return self.pieces[key]
            if sum(not one.ended.is_set() for one in self.pieces.values()) >= MOST_WAITING:
                raise EtudeError(f"{MOST_WAITING} things wait for their turn; stop one of them, or try again later")
            work = self.pieces[key] = Piece(does)
            while len(self.pieces) > KEPT and (old := next((one for one, piece in self.pieces.items() if piece.ended.is_set()), None)):
                del self.pieces[old]
        threading.Thread(target=self.run, args=[work], daemon=True).start()
        return work

    def anew(self, key: Hashable, does: Does) -> Piece:
        """The same, in the place of what is known by that key, which is stopped where it has not ended."""
        with self.known:
            self.stop(key)
            self.forget(key)
            return self.piece(key, does)

    def run(self, work: Piece) -> None:
        """In its turn, unless it was stopped before."""
        with self.turn:
            try:
                server = None if work.ended.is_set() else self.ready()
                if server and self.begins(work):
                    work.end("done", work.does(server))
            except EtudeError as error:
                work.end("failed", message=str(error))
            except Exception as error:
                work.end("failed", message=f"{type(error).__name__}: {error}")
                raise
            finally:
                with self.known:
                    self.running = None
                if self.closed and self.server:
                    self.server.close()

    def begins(self, work: Piece) -> bool:
        """Whether it was not stopped while the process was made."""
        with self.known:
            if not work.ended.is_set():
                work.state, self.running = "running", work
        return self.running is work

    def ready(self) -> Server:
        """The process, which is made where there is none, or it has died."""
        if self.server and not self.server.is_ready:
            self.server.close()
            self.server = None
        self.server = self.server or self.make()
        return self.server

    def warm(self) -> None:
        """Have the process made, while somebody reads the page on which it will be needed."""
        if not self.turn.locked() and not (self.server and self.server.is_ready):
            self.anew("warm", lambda server: None)

    def stop(self, key: Hashable) -> None:
        """Nothing of it runs any more."""
        with self.known:
            if work := self.pieces.get(key):
                work.end("stopped")
            if work and work is self.running and self.server:
                self.server.stop()

    def forget(self, key: Hashable) -> None:
        """So that it is done again when it is asked for."""
        with self.known:
            if key in self.pieces and self.pieces[key].ended.is_set():
                del self.pieces[key]

    def close(self) -> None:
        """End what runs, also a process that is still being made."""
        self.closed = True
        for key in list(self.pieces):
            self.stop(key)
        if self.server and self.turn.acquire(timeout=1):
            self.server.close()
