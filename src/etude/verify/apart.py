"""Foreign code in a process of its own: a function of the package runs there, and what it returns comes back as JSON.

A protection against accidents, not against malice. The code runs as the same user on the same disk: it can read and write whatever its
user can. Held on every system: a time limit, no variable of our environment but those of KEPT, no standard input, its own temporary
folder as working directory and home, and whatever it prints is read and forgotten but for the end. Beyond that:

  memory     Linux. Per process; memory shared between processes is not counted. A graphics card is hidden, as it has no limit.
  files      Linux, macOS: each at most 1 GB.
  processes  Linux, macOS: what it starts is killed with it, unless that moves to a session of its own. Windows: only itself is killed.
  our death  Linux: when we are killed, it is too (but not what it has started). Ctrl-C kills all of it everywhere.
  network    Linux, where namespaces are permitted: none for the process and what it starts, this machine's own ports included.
             Elsewhere Python's sockets refuse to connect; libraries in C and other programs still can.

Torch is never imported here. Used by `verify`, whose work happens in the functions that are called.
"""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from etude.errors import EtudeError, UsageError
from etude.verify.apart_child import place, receive, send

CHILD = Path(__file__).with_name("apart_child.py")
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "OMP_NUM_THREADS")
OUTPUT_BYTES = 10_000
FORKS = hasattr(os, "fork") and sys.platform != "darwin"  # the system libraries of macOS do not survive a fork


class Failed(EtudeError):
    """What happened instead of an answer, in one sentence.

    kind    "time", "memory", "exit" (sys.exit), "died", "error" (an EtudeError of the function) or "bug" (any other exception)
    output  the end of what was printed, with the traceback where there was an exception
    """

    def __init__(self, message: str, kind: str, output: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.kind, self.output, self.exit_code = kind, output, exit_code


def call(
    function: str,
    arguments: Mapping[str, Any],
    *,
    path: Sequence[Path] = (),
    seconds: float = 60,
    megabytes: int = 8_192,
    network: bool = False,
) -> Any:
    """What `function` returns, called in a new process.

    function   "etude.verify.something:name"; takes and returns JSON values
    arguments  its keyword arguments; relative paths among them mean nothing in the other process
    path       folders from which it can import, after everything installed
    seconds    of wall time, the start of Python and the import of torch (about 1 s) included
    megabytes  of 2**20 bytes of memory; Python with torch takes 230 of them
    Raises  UsageError as the function did, Failed for everything else that goes wrong there.
    """

    def start(folder: Path, output: int) -> Process:
        return _python({"folder": str(folder)}, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    return _supervised(start, _request(function, arguments, path, megabytes, network), seconds)


class Server:
    """For many calls in a row: a process that has imported torch and `modules` once, and forks for every call.

    One call at a time, from the thread that made the server: on Linux a process is killed when the thread that started it ends.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self.modules = tuple(modules)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if FORKS:
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        path: Sequence[Path] = (),
        seconds: float = 60,
        megabytes: int = 8_192,
        network: bool = False,
    ) -> Any:
        """As `call` outside, without the start; where processes cannot fork, the same."""
        if not FORKS:
            return call(function, arguments, path=path, seconds=seconds, megabytes=megabytes, network=network)
        if self._process is None:
            self._start()
        try:
            return _supervised(self._fork, _request(function, arguments, path, megabytes, network), seconds)
        except (EOFError, ConnectionError):
            self.close()
            raise Failed("the server of the checks has died", "died") from None
        except EtudeError:
            raise
        except BaseException:  # Ctrl-C in the middle of a message: the next call needs a new server
            self.close()
            raise

    def close(self) -> None:
        """End the server. A call afterwards starts a new one."""
        if self._process:
            self._channel.close()
            _kill(self._process)
            self._process = None

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = _python({"modules": self.modules}, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._ready = False

    def _fork(self, folder: Path, output: int) -> "Process":
        if not self._ready:
            if error := receive(self._channel)[0]:
                self.close()
                raise Failed(f"the server of the checks cannot start: {error}", "bug")
            self._ready = True
        send(self._channel, str(folder), [output])
        return _Forked(receive(self._channel)[0], self._channel)


class Process(Protocol):
    """The part of `subprocess.Popen` that is needed here."""

    pid: int

    def wait(self, timeout: float | None = None) -> int: ...


class _Forked:
    """A child of the server, which says when it has ended."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid, self.channel, self.code = pid, channel, 0
        self.ended = False

    def wait(self, timeout: float | None = None) -> int:
        if not self.ended:
            if not select.select([self.channel], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            self.code, self.ended = receive(self.channel)[0], True
        return self.code


class _Tail:
    """The end of what is written into a pipe; the rest is read and forgotten, so that neither the pipe nor our memory fills."""

    def __init__(self) -> None:
        self.source, self.end = os.pipe()
        self.kept = b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        with open(self.source, "rb", buffering=0) as pipe:
            while chunk := pipe.read(65_536):
                self.kept = (self.kept + chunk)[-OUTPUT_BYTES:]

    def text(self) -> str:
        """What is there when all writers have gone; a process that escaped may still hold the pipe, so not for ever."""
        self.thread.join(1)
        return self.kept.decode(errors="replace")


def _request(function: str, arguments: Mapping[str, Any], path: Sequence[Path], megabytes: int, network: bool) -> dict[str, Any]:
    folders = [str(folder.resolve()) for folder in path]
    return {"function": function, "arguments": dict(arguments), "path": folders, "megabytes": megabytes, "network": network}


def _python(job: Mapping[str, Any], **streams: Any) -> subprocess.Popen[bytes]:
    """The child, in a session of its own, with our import path and next to nothing of our environment."""
    path = [str(CHILD.parents[2]), *(folder for folder in sys.path if Path(folder).is_absolute())]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(
        # not -I, under which PYTHONHASHSEED would be ignored; there is nothing else of Python's in this environment
        [
            sys.executable,
            "-s",
            "-P",
            str(CHILD),
            json.dumps({"folder": "", "modules": ()} | dict(job) | {"path": path, "parent": os.getpid()}),
        ],
        env=environment | {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        **streams,
    )


def _supervised(start: Callable[[Path, int], Process], request: Mapping[str, Any], seconds: float) -> Any:
    """Start a process on the request, in a private folder, and give back what it answers. Raises what `call` raises."""
    with tempfile.TemporaryDirectory(prefix="etude-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "work").mkdir()
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        tail = _Tail()
        try:
            process = start(folder, tail.end)
        finally:
            os.close(tail.end)
        code = _ended(process, seconds)
        output = tail.text()
        if (folder / "answer.json").exists():
            answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        else:
            answer = {"message": _death(code, seconds, folder / "fault", output), "kind": "time" if code is None else "died"}
    if "value" in answer:
        return answer["value"]
    if answer["kind"] == "usage":
        raise UsageError(answer["message"])
    raise Failed(**answer, output=output)


def _ended(process: Process, seconds: float) -> int | None:
    """The exit code, or None when the time ran out. Nothing of the process's group is left afterwards."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        if os.name == "posix":
            os.kill(process.pid, signal.SIGABRT)  # faulthandler writes down where it was
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        return None
    finally:
        _kill(process)


def _kill(process: Process) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif isinstance(process, subprocess.Popen):
        process.kill()
    process.wait()


def _death(code: int | None, seconds: float, fault: Path, output: str) -> str:
    """A process that ended without an answer, in one sentence: where it was, or what it said last."""
    frames = re.findall(r'File "(.+)", line (\d+)', fault.read_text(encoding="utf-8", errors="replace")) if fault.exists() else []
    where = place(frames)
    if code is None:
        return f"the code ran longer than {seconds:g} s, the limit, and was stopped{where}"
    last = next((line.strip()[:200] for line in reversed(output.splitlines()) if line.strip().isprintable() and line.strip()), "")
    said = f"; the last it printed: {last}" if last and not where else ""
    if code < 0:
        return f"the code was killed by {signal.Signals(-code).name}{where}{said}"
    return f"the code ended its process with exit code {code}{where}{said}"
