"""Foreign code in a process of its own: a function of the package runs there, and what it returns comes back as JSON.

A protection against accidents, not against malice: the code runs as the same user on the same disk, and can read and write whatever that
user can. On every system it has a time limit, no standard input, no variable of our environment but KEPT, and a temporary folder of its
own as working directory and home; whatever it prints is read and forgotten, but for the end. Beyond that:

  memory     Linux: limited for each process; what processes share is not counted. Graphics cards, which have no limit, are hidden.
  files      Linux, macOS: each at most 1 GB.
  processes  Linux, macOS: whatever it starts is killed in the end, unless that moved to a session of its own. Windows: it alone is killed.
  our end    Ctrl-C kills all of it. When we are killed, Linux kills it; what it started and its folder are left.
  network    Linux, where namespaces are permitted: none, not even this machine's own ports, for it and for what it starts.
             Elsewhere Python's sockets refuse to connect; libraries in C and other programs still can.

Torch is never imported here: this process only waits.
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
from typing import Any, Protocol, Self, TypedDict, Unpack

from etude.errors import EtudeError, UsageError
from etude.verification.limited import place, receive, send

CHILD = Path(__file__).with_name("limited.py")
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "OMP_NUM_THREADS")
OUTPUT_BYTES = 10_000
FORKS = sys.platform == "linux"  # Windows cannot, and the libraries of macOS do not survive it


class Failed(EtudeError):
    """What happened instead of an answer, in one sentence.

    kind    "time", "memory", "exit" (sys.exit), "died", "error" (an EtudeError of the function) or "bug" (any other exception)
    output  the end of what was printed, with the traceback where there was an exception
    """

    def __init__(self, message: str, kind: str, output: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.kind, self.output, self.exit_code = kind, output, exit_code


class Options(TypedDict, total=False):
    """The keywords of `call`."""

    path: Sequence[Path]
    seconds: float
    megabytes: int
    network: bool


def call(function: str, arguments: Mapping[str, Any], **options: Unpack[Options]) -> Any:
    """What `function` returns, called in a new process.

    function   "etude.verification.something:name"; takes and returns JSON values
    arguments  its keyword arguments; a relative path among them means nothing in the other process
    path       () folders from which it can import, after everything installed
    seconds    (60) of wall time, with the start of Python and the import of torch (about 1 s)
    megabytes  (8192) of 2**20 bytes of memory; Python with torch takes 220 of them
    network    (False) whether it has one
    Raises  UsageError as the function did, Failed for everything else that goes wrong there.
    """

    def start(folder: Path, output: int) -> Process:
        return _python({"folder": str(folder)}, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    return _supervised(start, function, arguments, **options)


class Server:
    """For many calls in a row: a process that has imported torch and `modules` once, and forks for every call.

    One call at a time, from the thread that made the server: Linux kills a process when the thread that started it ends.
    Raises  Failed where a module cannot be imported.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if not FORKS:
            return
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _python({"modules": modules}, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            error = receive(self._channel)[0]
        except BaseException:
            self.close()
            raise
        if error:
            self.close()
            raise Failed(f"the process for the checks cannot start: {error}", "bug")

    def call(self, function: str, arguments: Mapping[str, Any], **options: Unpack[Options]) -> Any:
        """As `call` outside, without the start; the same as `call` where there is no forking, or no server any more."""
        if not self._process:
            return call(function, arguments, **options)
        try:
            return _supervised(self._fork, function, arguments, **options)
        except EtudeError:
            raise
        except BaseException as error:  # Ctrl-C between two messages, or the server is dead
            self.close()
            if isinstance(error, (EOFError, ConnectionError)):
                raise Failed("the process for the checks has died", "died") from None
            raise

    def _fork(self, folder: Path, output: int) -> "Process":
        send(self._channel, str(folder), [output])
        return _Forked(receive(self._channel)[0], self._channel)

    def close(self) -> None:
        if self._process:
            self._channel.close()
            _kill(self._process)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Process(Protocol):
    """The part of `subprocess.Popen` that is needed here."""

    pid: int

    def wait(self, timeout: float | None = None) -> int: ...


class _Forked:
    """A child of the server, which says when it has ended."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid, self.channel = pid, channel
        self.code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            if not select.select([self.channel], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            self.code = int(receive(self.channel)[0])
        return self.code


class _Tail:
    """The end of what is written into a pipe; the rest is read and forgotten, so that neither the pipe nor our memory fills."""

    def __init__(self) -> None:
        self.source, self.end = os.pipe()
        self.kept = b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        while chunk := os.read(self.source, 65_536):
            self.kept = (self.kept + chunk)[-OUTPUT_BYTES:]
        os.close(self.source)

    def text(self) -> str:
        """What is there when all writers have gone; a process that escaped may still hold the pipe, so not for ever."""
        self.thread.join(1)
        return self.kept.decode(errors="replace")


def _python(job: Mapping[str, Any], **streams: Any) -> subprocess.Popen[bytes]:
    """The child, in a session of its own, with our import path and next to nothing of our environment."""
    path = [str(CHILD.parents[2]), *(folder for folder in sys.path if Path(folder).is_absolute())]
    job = {"folder": "", "modules": (), "parent": os.getpid(), "path": path} | dict(job)
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-s", "-P", str(CHILD), json.dumps(job)],  # not -I, under which PYTHONHASHSEED means nothing
        env=environment | {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        **streams,
    )


def _supervised(
    start: Callable[[Path, int], Process],
    function: str,
    arguments: Mapping[str, Any],
    *,
    path: Sequence[Path] = (),
    seconds: float = 60,
    megabytes: int = 8_192,
    network: bool = False,
) -> Any:
    """Start a process on the request, in a private folder, and give back what it answers. Raises what `call` raises."""
    with tempfile.TemporaryDirectory(prefix="etude-", ignore_cleanup_errors=True) as name:
        folder, folders = Path(name), [str(folder.resolve()) for folder in path]
        request = {"function": function, "arguments": dict(arguments), "path": folders, "megabytes": megabytes, "network": network}
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
            answer = {"kind": "time" if code is None else "died", "message": _death(code, seconds, folder / "fault", output)}
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
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.kill(process.pid, signal.SIGABRT)  # faulthandler writes down where it was
                process.wait(0.5)
        return None
    finally:
        _kill(process)


def _kill(process: Process) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif isinstance(process, subprocess.Popen):
        process.kill()
    process.wait()


def _death(code: int | None, seconds: float, fault: Path, output: str) -> str:
    """A process that ended without an answer, in one sentence: where it was, or else what it printed last."""
    frames = re.findall(r'File "(.+)", line (\d+)', fault.read_text(encoding="utf-8", errors="replace")) if fault.exists() else []
    where = place(frames)
    if code is None:
        return f"the code ran longer than the limit of {seconds:g} s and was stopped{where}"
    printed = [line.strip()[:200] for line in output.splitlines() if line.strip()]
    said = f"; the last it printed: {printed[-1]}" if printed and not where else ""
    if code < 0:
        return f"the code died of signal {-code}, {signal.strsignal(-code)}{where}{said}"
    return f"the code ended its process with exit code {code}{where}{said}"
