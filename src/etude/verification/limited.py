"""The other side of `apart`. Run as a script: neither torch nor foreign code is imported before the limits hold."""

import contextlib
import ctypes
import faulthandler
import json
import os
import signal
import socket
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

ANSWER_BYTES = 64 << 20
FILE_BYTES = 1 << 30
HOMES = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")
CALLS_OUT = {f"socket.{call}" for call in ("connect", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr")}
NOT_FOREIGN = ("<", sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]) + os.sep)


def main() -> None:
    """Run one request, or serve many. The job is the last argument, and gone before foreign code reads the arguments."""
    job = json.loads(sys.argv.pop())
    die_with(job["parent"])
    sys.path += [folder for folder in job["path"] if folder not in sys.path]
    if job["folder"]:
        run(Path(job["folder"]))
    serve(socket.socket(fileno=0), job["modules"])


def serve(channel: socket.socket, modules: Sequence[str]) -> None:
    """Import once, then fork for every folder that arrives with a pipe for its output; say which process it is and how it ended.

    Nothing is computed here: the threads of torch would not survive a fork.
    """
    try:
        for module in ("torch", *modules):
            import_module(module)
    except Exception as error:
        return send(channel, f"{type(error).__name__}: {error}")
    send(channel, "")
    server = os.getpid()
    with contextlib.suppress(EOFError):
        while True:
            folder, (output,) = receive(channel)
            if not (process := os.fork()):
                os.setpgid(0, 0)
                die_with(server)
                channel.close()
                for stream, target in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
                    os.dup2(target, stream)
                os.close(output)
                run(Path(folder))
            with contextlib.suppress(OSError):
                os.setpgid(process, process)  # both sides set it, so that it holds before either goes on
            os.close(output)
            send(channel, process)
            send(channel, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def send(channel: socket.socket, value: Any, descriptors: Sequence[int] = ()) -> None:
    """One small JSON value and open files, as one packet."""
    socket.send_fds(channel, [json.dumps(value).encode()], descriptors)


def receive(channel: socket.socket) -> tuple[Any, list[int]]:
    """What `send` sent. Raises EOFError when the other side has gone."""
    data, descriptors, _, _ = socket.recv_fds(channel, 65_536, 1)
    if not data:
        raise EOFError
    return json.loads(data), descriptors


def run(folder: Path) -> NoReturn:
    """Read FOLDER/request.json, do what it says under its limits in FOLDER/work, and write FOLDER/answer.json."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    faulthandler.enable((folder / "fault").open("w"), all_threads=False)
    os.chdir(folder / "work")
    os.environ |= dict.fromkeys(HOMES, str(folder / "work"))
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
        (folder / "answer.part").write_text(text, encoding="utf-8")
        (folder / "answer.part").replace(folder / "answer.json")
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
    while error:
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
        if not file.startswith(NOT_FOREIGN) and not {"site-packages", "dist-packages"} & set(Path(file).parts):
            from etude.source import placed

            return f" ({placed(file, line)})"
    return ""


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


def die_with(parent: int) -> None:
    """Let the system kill this process when its parent dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it has died already
            os._exit(1)


def leave_network() -> None:
    """Move to a network of this process's own, in which there is nothing; where that is not permitted, refuse Python's sockets."""
    if not (sys.platform == "linux" and has_left()):
        sys.addaudithook(refuse)


def has_left() -> bool:
    unshare, user, group = ctypes.CDLL(None).unshare, os.getuid(), os.getgid()
    new_network, new_user = 0x40000000, 0x10000000  # CLONE_NEWNET, CLONE_NEWUSER
    if unshare(new_network) == 0:  # root may
        return True
    if unshare(new_network | new_user) != 0:
        return False
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError):
            Path("/proc/self", file).write_text(text)  # the same user as before
    return True


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook; sockets between processes of this machine are let through."""
    if event in CALLS_OUT and getattr(arguments[0], "family", 0) != getattr(socket, "AF_UNIX", -1):
        raise OSError("no network here")


if __name__ == "__main__":
    main()
