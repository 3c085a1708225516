"""Linux: what stands between us and foreign code, so that all of it ends with us.

    etude ── keeper ── server ── the code of one request, and whatever that starts

The keeper waits for the end of its standard input, which comes when we end in whatever way: then it kills all that is below it and removes
the folder. The server forks for every request, and kills what one has left. It is the first process of a PID namespace, all of which the
kernel kills when that process ends; where namespaces are not permitted, whatever loses its parent becomes a child of server or keeper.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from etude.verification import namespaces
from etude.verification.limited import ABORT_SECONDS, run

DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER


def keep(folder: str, channel: int, modules: Sequence[str]) -> None:
    """Start a server on an open socket; at the end of standard input end it and what is below, and remove the folder."""
    moved = namespaces.moved_to(namespaces.NEW_PROCESSES | namespaces.NEW_MOUNTS)
    control(ADOPT_ORPHANS, 1)
    if not (server := os.fork()):
        control(ADOPT_ORPHANS, 1)
        control(DIE_WITH_PARENT, signal.SIGKILL)
        serve(socket.socket(fileno=channel), modules)
        os._exit(0)
    os.close(channel)
    os.read(0, 1)
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)
    if not moved:
        end_all()
    shutil.rmtree(folder, ignore_errors=True)


def serve(channel: socket.socket, modules: Sequence[str]) -> None:
    """Import once, then fork for every folder that arrives with a time limit and a pipe for its output; say how that ended.

    Nothing is computed here: the threads of torch would not survive a fork.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # for all threads, so that it stays until `ended` asks for it
    if os.getpid() == 1:
        namespaces.show_own_processes()
    try:
        for module in modules:
            import_module(module)
    except Exception as error:
        return send(channel, f"{type(error).__name__}: {error}")
    send(channel, "")
    with contextlib.suppress(EOFError):
        while True:
            (folder, seconds), (output,) = receive(channel)
            if not (process := os.fork()):
                control(DIE_WITH_PARENT, signal.SIGKILL)
                os.setsid()
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
                channel.close()
                for stream, target in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
                    os.dup2(target, stream)
                os.close(output)
                run(folder)
            os.close(output)
            code = ended(process, seconds)
            if code is None:
                os.kill(process, signal.SIGABRT)  # faulthandler writes down where it was
                ended(process, ABORT_SECONDS)
            end_all()
            send(channel, code)


def send(channel: socket.socket, value: Any, descriptors: Sequence[int] = ()) -> None:
    """One small JSON value and open files, as one packet."""
    socket.send_fds(channel, [json.dumps(value).encode()], descriptors)


def receive(channel: socket.socket) -> tuple[Any, list[int]]:
    """What `send` sent. Raises EOFError when the other side has gone."""
    data, descriptors, _, _ = socket.recv_fds(channel, 65_536, 1)
    if not data:
        raise EOFError
    return json.loads(data), descriptors


def ended(process: int, seconds: float) -> int | None:
    """The exit code of a child, negative for a signal; None when it has not ended in time."""
    end = time.monotonic() + seconds
    while not (found := os.waitpid(process, os.WNOHANG))[0]:
        if (left := end - time.monotonic()) <= 0:
            return None
        signal.sigtimedwait([signal.SIGCHLD], left)
    return os.waitstatus_to_exitcode(found[1])


def end_all() -> None:
    """Kill all that is below this process: orphans become its children, so until it has none."""
    alone = os.getpid() == 1  # in a namespace, where -1 is everybody else
    with contextlib.suppress(ChildProcessError):
        while below := [-1] if alone else children():
            for process in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            for process in below:
                os.waitpid(process, 0)


def children() -> list[int]:
    """Of this process. Not every kernel keeps a list of them."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and parent_of(entry) == os.getpid()]


def parent_of(entry: Path) -> int | None:
    """Of a process, by its folder in /proc; None when it has gone."""
    try:
        return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return None


def control(what: int, value: int) -> None:
    ctypes.CDLL(None).prctl(what, value)
