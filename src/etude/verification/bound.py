"""macOS and Windows: a process that ends with us."""

import contextlib
import ctypes
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etude.verification.limited import ABORT_SECONDS

WATCH = 'read done || { kill -s KILL -- "-$1"; rm -rf "$2"; }'  # `read` fails when its input ends without a line
ENDS_WITH_ITS_HANDLE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation: 144 bytes on 64 bits, the flags behind two times of 8 bytes


def ended(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> int | None:
    """The exit code, or None when the time ran out. When we are killed before, it is too, and its folder removed where there is a shell."""
    with bound(process, folder):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            if sys.platform != "win32":
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.kill(process.pid, signal.SIGABRT)  # faulthandler writes down where it was
                    process.wait(ABORT_SECONDS)
            return None


@contextlib.contextmanager
def bound(process: subprocess.Popen[bytes], folder: Path) -> Iterator[None]:
    """Behind it nothing is left of the process's group (macOS), or of all it has started (Windows)."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        job = job_of(kernel, int(process._handle))
        try:
            yield
        finally:
            process.kill()
            kernel.CloseHandle(job)
            process.wait()
    else:
        command = ["/bin/sh", "-c", WATCH, "sh", str(process.pid), str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as watch:
            try:
                yield
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                watch.communicate(b"done\n")


def job_of(kernel: Any, process: int) -> ctypes.c_void_p:
    """The handle of a job with the process in it: when the last handle is closed, by whatever end of ours, Windows ends all in the job."""
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = struct.pack("16xI124x", ENDS_WITH_ITS_HANDLE)
    kernel.SetInformationJobObject(job, EXTENDED_LIMITS, limits, len(limits))
    kernel.AssignProcessToJobObject(job, ctypes.c_void_p(process))
    return job
