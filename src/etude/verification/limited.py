"""The other side of `apart`: one request under its limits. Neither torch nor foreign code is imported here before these hold."""

import contextlib
import faulthandler
import json
import os
import socket
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from etude.source import placed
from etude.verification import namespaces

ANSWER_BYTES = 64 << 20
FILE_BYTES = 1 << 30
ABORT_SECONDS = 0.5  # for writing down where it was, when the time is up
HOMES = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")
CALLS_OUT = {f"socket.{call}" for call in ("connect", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr")}
NOT_FOREIGN = ("<", sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]) + os.sep)


def run(folder: str) -> NoReturn:
    """Read FOLDER/request.json, do what it says under its limits in FOLDER/work, and write FOLDER/answer.json."""
    home = Path(folder)
    request = json.loads((home / "request.json").read_text(encoding="utf-8"))
    faulthandler.enable((home / "fault").open("w"), all_threads=False)
    os.chdir(home / "work")
    os.environ |= dict.fromkeys(HOMES, str(home / "work"))
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = None  # what the server may have found out is another folder
    limit(request["megabytes"])
    if not request["network"]:
        leave_network()
    sys.path += request["path"]  # after everything installed, so that no file there stands in for a module of Python
    process = os.getpid()
    text = answer(request)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    if os.getpid() == process:  # not a fork that foreign code made and let return
        (home / "answer.part").write_text(text, encoding="utf-8")
        (home / "answer.part").replace(home / "answer.json")
    os._exit(0)  # foreign threads and exit handlers have nothing to add


def answer(request: dict[str, Any]) -> str:
    """What the function returns, or how it failed, as JSON."""
    module, _, name = request["function"].partition(":")
    try:
        text = json.dumps({"value": getattr(import_module(module), name)(**request["arguments"])})
        if len(text) > ANSWER_BYTES:
            raise ValueError(f"the answer has {len(text):,} bytes, at most {ANSWER_BYTES:,} are taken")
        return text
    except BaseException as error:
        limit(None)  # so that there is memory left to say that there was none
        traceback.print_exc()
        return json.dumps(failure(error, request["function"], request["megabytes"]))


def failure(error: BaseException, function: str, megabytes: int) -> dict[str, Any]:
    """The error as the arguments of `Failed`; its kind is "usage" for a UsageError."""
    from etude.errors import EtudeError, UsageError

    for cause in causes(error):
        if is_out_of_memory(cause):
            return {"kind": "memory", "message": f"the code needs more memory than the limit of {megabytes} MB{raised_at(cause)}"}
    if isinstance(error, EtudeError):
        return {"kind": "usage" if isinstance(error, UsageError) else "error", "message": str(error), "exit_code": error.exit_code}
    if isinstance(error, SystemExit):
        return {"kind": "exit", "message": f"the code called sys.exit({'' if error.code is None else repr(error.code)}){raised_at(error)}"}
    what = next((f": {line}" for line in str(error).strip().splitlines()), "")
    return {"kind": "bug", "message": f"{function} raised {type(error).__name__}{what}{raised_at(error)}"}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error and id(error) not in seen:  # `raise error from error` comes from itself
        seen.add(id(error))
        yield error
        error = error.__cause__


def is_out_of_memory(error: BaseException) -> bool:
    """Torch says it in a RuntimeError, and differently on every system."""
    said = any(words in str(error) for words in ("allocate memory", "not enough memory", "bad_alloc"))
    return isinstance(error, MemoryError) or (isinstance(error, (RuntimeError, OSError)) and said)


def raised_at(error: BaseException) -> str:
    return place((frame.filename, frame.lineno) for frame in reversed(traceback.extract_tb(error.__traceback__)))


def place(frames: Iterable[tuple[str, object]]) -> str:
    """ " (my_net.py line 8)": the first frame, innermost first, in a file that is no part of Python, of a package or of Etude."""
    for file, line in frames:
        if is_foreign(file):
            return f" ({placed(file, line)})"
    return ""


def is_foreign(file: str) -> bool:
    return not file.startswith(NOT_FOREIGN) and not {"site-packages", "dist-packages"} & set(Path(file).parts)


def limit(megabytes: int | None) -> None:
    """Limit the memory that can be written to (None lifts that) and the size of a file, and dump no core. Nothing on Windows.

    RLIMIT_DATA, not RLIMIT_AS: libraries, stacks and CUDA reserve far more addresses than they use. macOS ignores it.
    """
    try:
        import resource
    except ImportError:
        return
    memory = sys.maxsize if megabytes is None else megabytes << 20
    for kind, value in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, FILE_BYTES), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where memory runs short all the same, this process goes first


def leave_network() -> None:
    """Move to a network of this process's own, in which there is nothing; where that is not permitted, refuse Python's sockets."""
    if not (sys.platform == "linux" and namespaces.moved_to(namespaces.NEW_NETWORK)):
        sys.addaudithook(refuse)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook; sockets between processes of this machine are let through."""
    if event in CALLS_OUT and getattr(arguments[0], "family", 0) != getattr(socket, "AF_UNIX", -1):
        raise OSError("no network here")
