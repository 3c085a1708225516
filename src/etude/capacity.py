"""What this machine has for us: memory that is free, and processors. No torch."""

import math
import os
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")


def free() -> float:
    """MB that are free on this machine, or in the group of processes that this one is in; where nothing says so, more than any.

    What files have left in memory and nobody has used since counts as free, as in MemAvailable: it goes when somebody needs the room.
    """
    lines = dict(line.split(":") for line in read("/proc/meminfo").splitlines())
    found = [int(lines["MemAvailable"].split()[0]) / 1024] if "MemAvailable" in lines else []
    most, used = (read(GROUP / f"memory.{what}").strip() for what in ("max", "current"))
    if most.isdecimal() and used.isdecimal():
        kept = dict(line.split() for line in read(GROUP / "memory.stat").splitlines())
        found.append((int(most) - int(used) + int(kept.get("inactive_file", 0))) / 2**20)
    return min(found, default=math.inf)


def processors() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError:
        return ""
