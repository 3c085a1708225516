"""Foreign code in a process of its own: a function of the package runs there, and what it returns comes back as JSON.

A protection against accidents, not against malice: the code runs as the same user on the same disk, and can read and write whatever that
user can. On every system it has a time limit, no standard input, no variable of our environment but KEPT, and a temporary folder of its
own as working directory and home; whatever it prints is read and forgotten, but for the end. Beyond that:

  memory     Linux: limited for each process; what processes share is not counted. Graphics cards, which have no limit, are hidden.
  files      Linux, macOS: each at most 1 GB.
  processes  Whatever it starts ends with it, and all of that with us, also when we are killed. Linux: without exception (`keeper.py`), but
             when the keeper is killed where namespaces are not permitted. macOS: but for what moves to a process group of its own.
             Windows: by a job object, which nobody has tried yet (`bound.py`).
  folder     When we are killed, the keeper removes it (macOS: a shell); on Windows it is left.
  network    Linux, where namespaces are permitted: none, not even this machine's own ports, for it and for what it starts.
             Elsewhere Python's sockets refuse to connect; libraries in C and other programs still can.

Torch is never imported here: this process only waits.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, Unpack

from etude.errors import EtudeError, UsageError
from etude.verification import bound
from etude.verification.keeper import receive, send
from etude.verification.limited import place

BOOT = """import json, sys
job = json.loads(sys.argv.pop())
sys.path += [folder for folder in job.pop("path") if folder not in sys.path]
from etude.verification import {module}
{module}.{function}(**job)"""  # the job is gone before foreign code reads the arguments
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "OMP_NUM_THREADS")
OUTPUT_BYTES = 10_000
FORKS = sys.platform == "linux"  # Windows cannot, and the libraries of macOS do not survive it


class Failed(EtudeError):
    """What happened instead of an answer, in one sentence.

    kind    "time", "memory", "exit" (sys.exit), "died", "error" (an EtudeError of the function) or "bug" (any other exception)
    output  the end of what was printed, with the traceback where there was an exception
    """

    WAYS_OUT: ClassVar = {"time": "; --seconds gives it more", "memory": "; --memory gives it more"}

    def __init__(self, message: str, kind: str, output: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.kind, self.output, self.exit_code = kind, output, exit_code

    @property
    def with_way_out(self) -> str:
        """The sentence, with the option that raises the limit where one was reached."""
        return f"{self}{self.WAYS_OUT.get(self.kind, '')}"


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
    with Server(()) as server:
        return server.call(function, arguments, **options)


class Server:
    """For many calls in a row: a process that has imported torch and `modules` once, and forks for every call.

    One call at a time. Where there is no forking, every call is a start of Python.
    Raises  Failed where a module cannot be imported.
    """

    def __init__(self, modules: Sequence[str] = ("torch",)) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._alone: subprocess.Popen[bytes] | None = None  # of a call without forking
        if not FORKS:
            return
        self._folder = tempfile.mkdtemp(prefix="etude-")
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            job = {"folder": self._folder, "channel": theirs.fileno(), "modules": modules}
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self._process = _python("keeper", "keep", job, pass_fds=[theirs.fileno()], **streams)
        try:
            error = receive(self._channel)[0]
        except EOFError:
            error = "it has ended"
        except BaseException:
            self.close()
            raise
        if error:
            self.close()
            raise Failed(f"the process for the checks cannot start: {error}", "bug")

    def call(self, function: str, arguments: Mapping[str, Any], **options: Unpack[Options]) -> Any:
        """As `call` outside, without the start; the same as `call` when there is no server any more."""
        if not FORKS:
            return _answered(self._start, None, function, arguments, **options)
        if not self._process:
            return call(function, arguments, **options)
        try:
            return _answered(self._fork, self._folder, function, arguments, **options)
        except EtudeError:
            raise
        except BaseException as error:  # Ctrl-C between two messages, or the server is dead
            self.close()
            if isinstance(error, (EOFError, ConnectionError)):
                raise Failed("the process for the checks has died", "died") from None
            raise

    def _fork(self, folder: Path, output: int, seconds: float) -> int | None:
        send(self._channel, (str(folder), seconds), [output])
        return receive(self._channel)[0]

    def _start(self, folder: Path, output: int, seconds: float) -> int | None:
        self._alone = _python("limited", "run", {"folder": str(folder)}, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        return bound.ended(self._alone, folder, seconds)

    @property
    def is_ready(self) -> bool:
        """Whether a call needs no start, or none that could be saved."""
        return not FORKS or (self._process is not None and self._process.poll() is None)

    def stop(self) -> None:
        """From another thread: end the call that is running, which raises Failed there, with all that it has started; and this server."""
        if process := self._process:
            assert process.stdin
            process.stdin.close()  # of which the keeper waits for the end
            process.wait()
        elif self._alone:
            self._alone.kill()

    def close(self) -> None:
        """End it; nothing is left of what it has started, nor its folder."""
        if self._process:
            self._channel.close()
            self._process.communicate()  # the end of its input is the end of it
            shutil.rmtree(self._folder, ignore_errors=True)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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


def _python(module: str, function: str, job: Mapping[str, Any], **streams: Any) -> subprocess.Popen[bytes]:
    """A function of this room in a new Python, in a session of its own, with our import path and next to nothing of our environment."""
    path = [str(Path(__file__).parents[2]), *(folder for folder in sys.path if Path(folder).is_absolute())]
    program = BOOT.format(module=module, function=function)
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-c", program, json.dumps({"path": path, **job})],  # not -I, under which PYTHONHASHSEED means nothing
        env=environment | {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        **streams,
    )


def _answered(
    run: Callable[[Path, int, float], int | None],
    home: str | None,
    function: str,
    arguments: Mapping[str, Any],
    *,
    path: Sequence[Path] = (),
    seconds: float = 60,
    megabytes: int = 8_192,
    network: bool = False,
) -> Any:
    """What a process answers that runs in a private folder within `home`. Raises what `call` raises.

    run  (folder, where to print, seconds) -> exit code, or None when the time ran out; nothing of the process is left
    """
    with tempfile.TemporaryDirectory(prefix="etude-", dir=home, ignore_cleanup_errors=True) as name:
        folder, folders = Path(name), [str(folder.resolve()) for folder in path]
        request = {"function": function, "arguments": dict(arguments), "path": folders, "megabytes": megabytes, "network": network}
        (folder / "work").mkdir()
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        tail = _Tail()
        try:
            code = run(folder, tail.end, seconds)
        finally:
            os.close(tail.end)
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
