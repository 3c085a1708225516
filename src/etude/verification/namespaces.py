"""Linux: networks and processes of one's own."""

import contextlib
import ctypes
import os
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x00020000, 0x10000000, 0x20000000, 0x40000000  # CLONE_NEW…
PRIVATE = 0x00044000  # MS_REC | MS_PRIVATE


def moved_to(kinds: int) -> bool:
    """Whether this process could move to new namespaces (of processes, the next that it forks). Its user stays the same.

    Root may; others where they may have a namespace of users.
    """
    unshare, user, group = ctypes.CDLL(None).unshare, os.getuid(), os.getgid()
    if unshare(kinds) == 0:
        return True
    if unshare(kinds | NEW_USERS) != 0:
        return False
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError):
            Path("/proc/self", file).write_text(text)
    return True


def show_own_processes() -> None:
    """Let /proc have the numbers of this namespace, for code that looks itself up there. Its mounts must be of its own too."""
    mount = ctypes.CDLL(None).mount
    if mount(b"none", b"/", None, PRIVATE, None) == 0:  # so that nothing changes outside
        mount(b"proc", b"/proc", b"proc", 0, None)
