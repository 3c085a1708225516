"""The files of CIFAR-10 and CIFAR-100: batches of 3×32×32 images with labels, binary or pickled, in an archive or out of it.

binary   for each image its label, of CIFAR-100 first the coarse one, then 3,072 bytes: red, green, blue, each row by row
pickled  a dictionary: `data` N×3,072 in the same order, `labels` or `fine_labels`
"""

import io
import pickle
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from etude.data.idx import Bytes, Labelled
from etude.data.pickles import ArraysOnly
from etude.errors import EtudeError

IMAGE = (3, 32, 32)
PIXELS = 3 * 32 * 32
BATCHES = {
    "training": ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "train"),
    "test": ("test_batch", "test"),
}


def read_set(paths: Sequence[Path]) -> tuple[Labelled, Labelled]:
    """Training and test set, of an archive or of its unpacked files. Raises EtudeError for one that is not as described above."""
    try:
        batches = _archived(paths[0]) if paths[0].name.endswith(".tar.gz") else {path.name: path.read_bytes() for path in paths}
        found = {name: _batch(name, data) for name, data in batches.items() if any(_is_of(name, part) for part in BATCHES)}
        training, test = (_joined(part, [found[name] for name in sorted(found) if _is_of(name, part)]) for part in BATCHES)
    except (tarfile.TarError, pickle.UnpicklingError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise EtudeError(f"{paths[0]}: is not as the official files are ({error}); remove it and fetch the set again") from error
    return training, test


def _archived(path: Path) -> dict[str, bytes]:
    """The files in an archive, by the last part of their names; nothing is written to the disk."""
    with tarfile.open(path, "r:gz") as archive:
        members = [(PurePosixPath(member.name).name, archive.extractfile(member)) for member in archive if member.isfile()]
        return {name: file.read() for name, file in members if file is not None}


def _is_of(name: str, part: str) -> bool:
    return name.removesuffix(".bin") in BATCHES[part]


def _batch(name: str, data: bytes) -> Labelled:
    """Images N×3×32×32 and labels N of one batch."""
    if name.endswith(".bin"):
        labels = 1 if "batch" in name else 2
        rows = np.frombuffer(data, np.uint8).reshape(-1, labels + PIXELS)
        return rows[:, labels:].reshape(-1, *IMAGE), rows[:, labels - 1]
    table = ArraysOnly(io.BytesIO(data)).load()
    images: Bytes = table["data"].reshape(-1, *IMAGE)
    return images, np.asarray(table["labels" if "labels" in table else "fine_labels"], np.uint8)


def _joined(part: str, batches: Sequence[Labelled]) -> Labelled:
    if not batches:
        raise ValueError(f"no {part} batch")
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    if len(images) != len(labels):
        raise ValueError(f"{len(images):,} images with {len(labels):,} labels")
    return images, labels
