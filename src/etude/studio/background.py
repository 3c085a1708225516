"""Commands of Etude that go on when the studio has ended: one at a time for a folder of runs.

The process that holds `.studio/lock` there is the one that was started last. The system lets go of a lock when its process dies, so the
number of a process that has died is never taken for one that lives.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from etude.errors import EtudeError
from etude.files import LOOK_SECONDS, is_held, write_text

START_SECONDS = 60.0  # on a machine that has much to do; usually 0.3
LOG_BYTES = 65_536  # of the end of the log, which are read; a traceback through torch is long
told_to_stop = set[int]()  # processes; a second signal would end one in the middle of a step


@dataclass(frozen=True)
class Task:
    """What was started.

    page  of the studio, on which it is seen, below the language
    code  with which it ended; None while it runs, and where it was killed
    """

    arguments: tuple[str, ...]
    page: str
    process: int
    code: int | None = None

    @property
    def command(self) -> str:
        return shlex.join(["etude", *self.arguments])

    @property
    def stopping(self) -> bool:
        return self.process in told_to_stop


@dataclass(frozen=True)
class Background:
    """The folder `.studio` within a folder of runs."""

    folder: Path

    @classmethod
    def of(cls, runs: Path) -> "Background":
        return cls(runs / ".studio")

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def record(self) -> Path:
        return self.folder / "started.json"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def last(self) -> Task | None:
        """What was started last; None where nothing was, or what is there cannot be read."""
        try:
            found = json.loads(self.record.read_text(encoding="utf-8"))
            return Task(**{**found, "arguments": tuple(map(str, found["arguments"])), "process": int(found["process"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def running(self) -> Task | None:
        return self.last() if is_held(self.lock) else None

    def start(self, arguments: Sequence[str], page: str, at: Path) -> None:
        """Run `etude ARGUMENTS` in the folder `at`. Raises EtudeError where something runs already, or it cannot be started."""
        import filelock

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.folder / "starting", timeout=START_SECONDS):
                if is_held(self.lock):
                    raise EtudeError(self.one_at_a_time())
                told_to_stop.clear()
                self.record.unlink(missing_ok=True)
                with self.log.open("wb") as log:
                    process = started(["-m", "etude.cli.background", str(self.folder), page, *arguments], at, log.fileno())
                self.wait_for(process, arguments)
        except OSError as error:
            raise EtudeError(f"{self.folder}: cannot be written ({error.strerror or error}); make room, or open another folder") from error

    def wait_for(self, process: "subprocess.Popen[bytes]", arguments: Sequence[str]) -> None:
        """Until it has the lock. Raises EtudeError where it ends before that."""
        threading.Thread(target=process.wait, daemon=True).start()  # or else it stays a zombie when it has ended
        end = time.monotonic() + START_SECONDS
        while self.last() is None:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()  # or else it would begin after all, behind the back of whoever was told that it did not
                raise EtudeError(f"etude {shlex.join(arguments)}: did not start ({self.said(1) or 'it says nothing'})")
            time.sleep(0.02)

    def one_at_a_time(self) -> str:
        task = self.last()
        running = task.command if task else "a command"
        return f"{running} is running; one at a time, so that each is as fast as this machine: stop it, or wait until it has ended"

    @contextlib.contextmanager
    def held(self, arguments: Sequence[str], page: str) -> Iterator[None]:
        """The lock, for the process that was started: what it does is noted, and how it ends. Raises EtudeError when another has it."""
        import filelock

        lock = filelock.FileLock(self.lock)
        try:
            lock.acquire(timeout=LOOK_SECONDS)
        except filelock.Timeout as error:
            raise EtudeError(self.one_at_a_time()) from error
        task = Task(tuple(arguments), page, os.getpid())
        self.note(task)
        try:
            yield
        except BaseException as end:
            self.note(replace(task, code=code_of(end)))
            raise
        finally:
            lock.release()

    def note(self, task: Task) -> None:
        write_text(self.record, json.dumps(asdict(task)) + "\n")

    def stop(self, page: str) -> None:
        """What Ctrl-C does in a terminal: the step is finished and everything saved. Raises EtudeError where it does not run."""
        task = self.running()
        if task is None or task.page != page:
            raise EtudeError("it does not run, or was not started here; a training in a terminal is stopped there with Ctrl-C")
        if not task.stopping:
            told_to_stop.add(task.process)
            interrupt(task.process)

    def said(self, lines: int) -> str:
        """The last lines of what it said, in one text."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_BYTES))
                return "\n".join(file.read().decode("utf-8", errors="replace").rstrip().split("\n")[-lines:])
        except OSError:
            return ""

    def failure(self, page: str) -> str:
        """Why that page's task has ended too early: its message, or how it died; "" where it has not."""
        task = self.last()
        if task is None or task.page != page or task.code in (0, 130) or is_held(self.lock):
            return ""
        if task.code is None:
            return "the process was ended from outside"
        last = self.said(1)
        return last.removeprefix("error: ") if last.startswith("error: ") or "Traceback" in self.said(1000) else ""


def code_of(end: BaseException) -> int:
    """With which a process ends where nothing catches this."""
    if isinstance(end, KeyboardInterrupt):
        return 130
    return end.code if isinstance(end, SystemExit) and isinstance(end.code, int) else 1


def interrupt(process: int) -> None:
    if sys.platform == "win32":
        os.kill(process, signal.CTRL_BREAK_EVENT)
    else:
        os.kill(process, signal.SIGINT)


def started(arguments: Sequence[str], at: Path, log: int) -> "subprocess.Popen[bytes]":
    """A Python that no Ctrl-C and no closed terminal of ours reaches, and that imports nothing from the folder it works in."""
    command = [sys.executable, "-P", *arguments]
    if sys.platform == "win32":
        return subprocess.Popen(
            command, cwd=at, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP
        )
    return subprocess.Popen(command, cwd=at, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
