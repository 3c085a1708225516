"""The pixels of a large folder of images, kept in Etude's cache: to read 60,000 files takes a minute, to read one a second.

They are used again while every file has the name, size and time of change that it had.
"""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from etude.data.idx import Bytes
from etude.data.sources import Say, cache_folder
from etude.files import whole_file

MANY = 5_000  # images, below which nothing is kept

Shape = tuple[int, int, int]


def images(root: Path, paths: Sequence[Path], shape: Shape, read: Callable[[Sequence[Path], Shape], Bytes], say: Say) -> Bytes:
    """What `read` makes of the files, N×C×H×W, from the cache where they are there as they were."""
    if len(paths) < MANY:
        return read(paths, shape)
    place = hashlib.sha256(f"{root.resolve()} {shape}".encode(errors="surrogateescape")).hexdigest()[:16]
    file, state = cache_folder() / "folders" / f"{place}.npz", _state(root, paths)
    found = _kept(file, state)
    if found is None:
        say(f"reading {len(paths):,} images in {root}; the next time they come from {file}")
        found = read(paths, shape)
        _keep(file, state, found, say)
    return found


def _state(root: Path, paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        about = path.stat()
        digest.update(f"{path.relative_to(root)}\0{about.st_size}\0{about.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _kept(file: Path, state: str) -> Bytes | None:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return content["images"] if content["state"] == state else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged: it is made again
        return None


def _keep(file: Path, state: str, images: Bytes, say: Say) -> None:
    try:
        with whole_file(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, state=np.array(state), images=images)
    except OSError as error:
        say(f"{file}: cannot be written ({error.strerror}), so the next time takes as long")
