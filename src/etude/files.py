"""Files that are either whole or not there, and locks."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

WEIGHTS = (".safetensors", ".pth", ".pt", ".th", ".tar", ".bin", ".pkl", ".ckpt")  # how files of weights end

IS_WINDOWS = os.name == "nt"
HELD_SECONDS = 3.0
LOOK_SECONDS = 1.0  # how long to try for a lock: whoever asks whether it is held has it for an instant
asking = threading.Lock()  # one in this process at a time, where whoever asks has the lock alone


def put(temporary: Path, path: Path) -> None:
    """Rename. On Windows a file is not replaced while anybody has it open, which is tried again for a while."""
    until = time.monotonic() + HELD_SECONDS
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if not IS_WINDOWS or time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block succeeds it becomes `path`, otherwise `path` stays as it was.

    Raises OSError (disk full, no permission) after removing the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    temporary.touch(exist_ok=False)  # not by tempfile, whose files nobody else may read
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        put(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def at_home(path: Path | str) -> Path:
    """With the home of a user in place of a leading `~`; of a user who is not there, and of a name that begins so, it stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_text(name: str) -> bool:
    """Whether the name of a file can be written down as UTF-8; on Linux a name may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def is_held(lock: Path) -> bool:
    """Whether a process holds that lock; the system lets go of it when the process dies. Nobody holds one that is not there.

    Whoever only asks at the same time is not taken for one that holds it.
    """
    if not lock.exists():
        return False
    try:
        return not (takes(lock) if sys.platform == "win32" else shares(lock))
    except OSError:  # not ours to write, so none of our processes holds it
        return False


def shares(lock: Path) -> bool:
    """Whether it can be had for an instant, together with all others who ask."""
    import fcntl  # which Windows does not have

    with lock.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without such locks
            return takes(lock)
        fcntl.flock(file, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file open too
    return True


def takes(lock: Path) -> bool:
    """Whether it can be had for an instant, alone."""
    import filelock  # which takes its time

    try:
        with asking, filelock.FileLock(lock).acquire(timeout=0):
            return True
    except filelock.Timeout:
        return False
