"""What a run stands on: the device, the threads, the allocator, the code, and a record of them all."""

import ast
import ctypes
import functools
import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from etude.errors import UsageError
from etude.models.network import Network
from etude.source import code_only, tree_of
from etude.version import VERSION

PACKAGE = Path(__file__).parent.parent
# the code that every run's numbers depend on, beside its network's own; a test holds the two rooms to it
DATA_BEHIND_NUMBERS = ("batches", "cifar", "colour", "dataset", "folder", "idx", "picture", "stream", "strokes", "svhn", "views")
OF_A_STEP = ("batch_norm", "compiling", "dense", "muon", "optimizers")
TRAINING_BEHIND_NUMBERS = (*OF_A_STEP, "folding", "initial", "loop", "processes", "start", "testing", "world")


def choose_device(name: str | None) -> torch.device:
    """The device of that name, or the best one there is: cuda, then mps, then cpu. Raises UsageError when it is not there."""
    available = [*(["cuda"] if torch.cuda.is_available() else []), *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
    if name is None:
        return torch.device(available[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    there = device is not None and device.type in available and (device.index or 0) < max(1, torch.cuda.device_count())
    if device is None or not there:
        raise UsageError(f"device `{name}` is not available here; available: {', '.join(available)}")
    return device


def make_deterministic(device: torch.device) -> None:
    """Ask CUDA for the algorithms that give the same numbers twice. A CPU's do by themselves."""
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


@functools.cache
def keep_freed_blocks() -> None:
    """Tell glibc to keep freed memory instead of returning it to the system after every step.

    Fresh mappings cost a page fault per 4 KiB when they are first written, and a training step allocates
    the same activations every time. Does nothing where the C library is not glibc. See docs/performance.md.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    # older versions refuse more than 32 MiB; the trim threshold alone would freeze the other one at 128 KiB, for the worse
    if mallopt(mmap_threshold, 2**30) or mallopt(mmap_threshold, 2**25):
        mallopt(trim_threshold, 2**31 - 1)


def environment(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """What a later reader needs to know of the machine, and what has to be the same for a continued run to be bit-identical."""
    return {
        "etude": VERSION,
        "revision": revision(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


@functools.cache
def source_digest(network: Network) -> str:
    """A digest of what determines the numbers of a network's run: the code of its file and of what that imports from `models`, of
    the data and of the training, and what it is registered with. Comments and docstrings do not count.
    """
    row = network.row
    files = [*models_behind(f"models/{row.target.partition(':')[0]}.py"), *behind_every_run()]
    code = (code_of((PACKAGE / file).read_text(encoding="utf-8")) for file in files)
    parts = [row.target, repr(sorted(row.options.items())), *code]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


code_of = functools.cache(code_only)  # most files stand behind every network


def behind_every_run() -> list[str]:
    rooms = (("data", DATA_BEHIND_NUMBERS), ("train", TRAINING_BEHIND_NUMBERS))
    return [f"{room}/{name}.py" for room, names in rooms for name in names]


def models_behind(file: str) -> list[str]:
    """A file of `models`, and those that it imports from there."""
    found, waiting = list[str](), [file]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.append(file)
            tree = tree_of((PACKAGE / file).read_text(encoding="utf-8"))
            imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            waiting += [f"models/{name.removeprefix('etude.models.')}.py" for name in imported if name.startswith("etude.models.")]
    return sorted(found)


@functools.cache
def revision() -> str:
    """The git revision of a checkout, with "+" when files are changed; "" for an installed package."""
    command = ["git", "-C", str(PACKAGE), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    if not (PACKAGE.parent.parent / ".git").exists():
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@functools.cache
def processor() -> str:
    """The processor's name, as far as the system tells it."""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or os.environ.get("PROCESSOR_IDENTIFIER", "") or platform.machine()
