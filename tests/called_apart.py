"""What the tests of `apart` call in another process."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from etude.errors import UsageError


def operators(target: str) -> list[str]:
    """The operators of a network in a file."""
    from etude.explain.graph import graph
    from etude.targets.opening import opened
    from etude.targets.target import Target

    with opened(Target.read(target)) as made:
        return [node.op for node in graph(made.module, (3, 8, 8)).nodes]


def echo(value: Any) -> Any:
    return value


def modules() -> list[str]:
    return sorted(sys.modules)


def surroundings() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "temporary": tempfile.gettempdir(),
        "home": str(Path.home()),
        "arguments": sys.argv[1:],
        "stdin": sys.stdin.read(),
    }


def bytes_of(count: int) -> str:
    return "x" * count


def no_json() -> Any:
    return {1, 2}


def misuse() -> None:
    raise UsageError("no network `resnet21`; did you mean resnet20?")


def bug() -> Any:
    stages: dict[str, Any] = {}
    return stages["stage5"]


def leave(code: int) -> None:
    sys.exit(code)


def vanish(code: int) -> None:
    print("nearly there")
    os._exit(code)


def shout_and_leave(megabytes_printed: int) -> None:
    for _ in range(megabytes_printed):
        print("x" * 1_000_000)
    sys.exit()


def loop() -> None:
    while True:
        pass


def deaf(seconds: float) -> None:
    """Sleep, and be stopped by no signal that can be ignored."""
    for number in (signal.SIGABRT, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(seconds)


def crash() -> None:
    ctypes.string_at(0)


def sleep(seconds: float, note: str = "") -> None:
    """Sleep, after starting a process that sleeps too and writing the file `note`."""
    if note:
        leave_behind(note)
        Path(note).touch()
    time.sleep(seconds)


def leave_behind(note: str) -> None:
    """Start a process that sleeps, holds our output open and has `note` in its command line."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", note])


def scatter(seconds: float, note: str) -> None:
    """Start processes in the ways that could outlive this one, then write the file `note`, and stay."""

    def start(name: str) -> None:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        Path(name).touch()

    if not os.fork():
        start("from a fork")
        time.sleep(1000)
    if not os.fork():
        os.setsid()
        if not os.fork():
            start("from an orphan in a session of its own")
            time.sleep(1000)
        os._exit(0)
    threading.Thread(target=start, args=["from a thread"]).start()
    while len(list(Path.cwd().iterdir())) < 3:
        time.sleep(0.01)
    Path(note).touch()
    time.sleep(seconds)


def fork_and_return() -> int:
    """Both processes come back, the copy later."""
    if child := os.fork():
        os.waitpid(child, 0)
    return child


HOARD: list[bytearray] = []


def hoard() -> None:
    """Keep memory until there is none."""
    while True:
        HOARD.append(bytearray(10_000_000))


def forge() -> str:
    """Write to standard output what looks like an answer, and like the end of everything."""
    for text in (b'{"value": "forged"}\n', b"\0\0\0\x05false", b"0", b"", b"\x04\xff\xfe"):
        os.write(1, text)
        os.write(2, text)
    return "true"


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=2).close()


def connect_where_namespaces_are_not_permitted(port: int) -> None:
    from etude.verification import limited, namespaces

    namespaces.moved_to = lambda kinds: False
    limited.leave_network()
    pair = socket.socketpair()
    pair[0].sendmsg([b"within this machine"])
    connect(port)


def convolve() -> list[int]:
    """A convolution and its gradient, on as many threads as there are."""
    import torch
    from torch import nn

    conv = nn.Conv2d(8, 8, 3)
    conv(torch.ones(16, 8, 64, 64)).square().mean().backward()
    (torch.ones(700, 700) @ torch.ones(700, 700)).numpy() @ torch.ones(700, 700).numpy()
    return [torch.get_num_threads(), *conv.weight.grad.shape] if conv.weight.grad is not None else []
