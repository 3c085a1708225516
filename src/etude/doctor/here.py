"""What there is on this machine: what to paste into a bug report. Without paths of a home and without anything secret."""

import concurrent.futures
import importlib.metadata
import math
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from etude.capacity import free, processors
from etude.data import catalog
from etude.data.sources import cache_folder, is_cached
from etude.version import VERSION

PACKAGES = ("torch", "numpy", "pillow", "safetensors", "matplotlib", "click", "rich")
EXTRAS = ("torchvision", "timm", "onnx", "onnxruntime", "openvino", "scipy", "ray", "starlette", "ipython")
# the only ones that are looked at
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "ETUDE_CACHE", "RANK", "WORLD_SIZE")
SECONDS = 2.0  # for a server to answer


@dataclass(frozen=True)
class Here:
    """A machine as far as it matters to Etude; each a name and what is said of it.

    faster  what would make it faster, a sentence each
    """

    installed: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]
    folders: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    faster: tuple[str, ...]


def here() -> Here:
    return Here(tuple(installed()), tuple(machine()), tuple(folders()), tuple(data()), tuple(faster()))


def installed() -> Iterator[tuple[str, str]]:
    yield "etude", VERSION
    yield "python", platform.python_version()
    for name in PACKAGES:
        yield name, version(name) or "not installed"
    yield "extras", ", ".join(f"{name} {found}" for name in EXTRAS if (found := version(name))) or "none"


def version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def machine() -> Iterator[tuple[str, str]]:
    import torch

    from etude.train import machine as trained_on

    device = trained_on.choose_device(None)
    yield "system", platform.platform()
    yield "processor", f"{trained_on.processor()}, {processors()} cores for us, {torch.backends.cpu.get_cpu_capability()}"
    yield "device", f"{device}: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
    yield "threads", str(torch.get_num_threads())
    if math.isfinite(megabytes := free()):
        yield "memory", f"{megabytes / 1024:.1f} GiB free"
    yield "settings", ", ".join(f"{name}={short(os.environ[name])}" for name in SETTINGS if name in os.environ) or "none"


def folders() -> Iterator[tuple[str, str]]:
    for name, folder in (("cache", cache_folder()), ("this folder", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        yield name, f"{short(str(folder))}: {writable(folder)}"


def writable(folder: Path) -> str:
    """Whether a file can be made there, in the nearest folder above that exists."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            left = shutil.disk_usage(there).free
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return f"can be written, {left / 2**30:.1f} GiB free{'' if there == folder else ', not made yet'}"


def data() -> Iterator[tuple[str, str]]:
    """Each set: here, or from where; servers are asked all at once, and only whether they answer."""
    rows = [row for row in catalog.rows() if row.forms]
    hosts = {urlsplit(mirror).netloc for row in rows for form in row.forms for mirror in form.mirrors}
    with concurrent.futures.ThreadPoolExecutor(max(1, len(hosts))) as pool:
        answering = dict(zip(hosts, pool.map(answers, hosts), strict=True))
    for row in rows:
        yield row.name, where(row, answering)


def where(row: catalog.Row, answering: dict[str, bool]) -> str:
    if is_cached(row.name):
        return "in the cache"
    if row.debian and Path(row.debian.folder).is_dir():
        return f"in the package {row.debian.package}"
    servers = [urlsplit(mirror).netloc for form in row.forms for mirror in form.mirrors]
    if reached := [host for host in servers if answering[host]]:
        return f"not here; {reached[0]} answers"
    wheel = f"; perhaps by pip, in {row.wheel.package}" if row.wheel else "; --data-dir FOLDER, or a folder of images"
    return f"not here, and {' and '.join(dict.fromkeys(servers)) or 'no server'} cannot be reached{wheel}"


def answers(host: str) -> bool:
    try:
        socket.create_connection((host, 443), SECONDS).close()
        return True
    except OSError:
        return False


def faster() -> Iterator[str]:
    import torch

    threads, there = torch.get_num_threads(), processors()
    if threads < there:
        yield f"{threads} of {there} cores are used: unset OMP_NUM_THREADS, or set it to {there}"
    if threads > there:
        yield f"{threads} threads on {there} cores stand in each other's way: set OMP_NUM_THREADS={there}"
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > there + 0.5:
        yield f"others compute too: {load:.1f} processes want {there} cores"
    if not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        yield f"there is a graphics card, and torch {torch.__version__} does not use it: install the build for CUDA (pytorch.org)"
    if torch.version.cuda and not torch.cuda.is_available() and not shutil.which("nvidia-smi"):
        yield "torch is built for CUDA and there is no card: the build for the CPU is smaller and starts sooner"
    if platform.machine() in ("x86_64", "AMD64") and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX"):
        yield "the processor has no AVX2, for which torch is made: another machine is several times faster"
    if not torch.backends.mkldnn.is_available():
        yield "this build of torch has no oneDNN, whose convolutions are several times faster on a CPU: install one from pytorch.org"


def short(path: str, home: str | None = None) -> str:
    """A path without the name of whoever is at home there."""
    home = home or str(Path.home())
    return f"~{path.removeprefix(home)}" if path == home or path.startswith(f"{home}{os.sep}") else path
