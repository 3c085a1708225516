"""Single keys of a terminal, on every system; without a terminal there are none."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

Wait = Callable[[float], str]
END = "\x04"  # Ctrl-D
STEP_SECONDS = 0.05


def none(seconds: float) -> str:
    """Without a terminal."""
    time.sleep(seconds)
    return ""


@contextlib.contextmanager
def keys() -> Iterator[Wait]:
    """Within the context a function that waits for a key, so many seconds at most: the key, END at the end of input, "" for none."""
    if not sys.stdin.isatty():
        yield none
    elif sys.platform == "win32":
        yield of_windows
    elif os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():  # in the background, where reading would stop us
        yield none
    else:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        try:
            yield of_terminal
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def of_terminal(seconds: float) -> str:
    import select

    if not select.select([sys.stdin], [], [], seconds)[0]:
        return ""
    typed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")  # an arrow is several signs
    return typed if len(typed) == 1 else "" if typed else END


def of_windows(seconds: float) -> str:
    if sys.platform == "win32":
        import msvcrt

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if msvcrt.kbhit():
                return msvcrt.getwch()
            time.sleep(STEP_SECONDS)
    return ""
