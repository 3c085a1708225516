"""The IDX format of MNIST: a magic number, the size of each dimension (big-endian), then the values.

magic   00 00 08 d    08: the values are unsigned bytes; d: the number of dimensions, 1 for labels, 3 for images
sizes   d times four bytes
values  one byte each, the last dimension fastest
"""

import gzip
import io
import struct
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from etude.errors import EtudeError
from etude.files import whole_file

Bytes = npt.NDArray[np.uint8]
Labelled = tuple[Bytes, Bytes]  # images N×C×H×W, and their labels N


def read(path: Path) -> Bytes:
    """The array in an IDX file, gzipped or not: N (labels) or N×H×W (images), uint8, writable.

    Raises EtudeError if the file cannot be read or is not one whole IDX file.
    """
    try:
        data = gunzip(path.read_bytes())
    except OSError as error:
        raise EtudeError(f"{path}: cannot be read ({error.strerror or error}); check the path or fetch the file again") from error
    except ValueError as error:
        raise EtudeError(f"{path}: {error}, expected a whole IDX file; fetch it again") from error
    return decode(data, str(path))


def read_set(paths: Sequence[Path]) -> tuple[Labelled, Labelled]:
    """Training and test set of its four files, in the catalog's order; images N×1×H×W. Raises as `read`."""
    images, labels, test_images, test_labels = map(read, paths)
    return (images[:, None], labels), (test_images[:, None], test_labels)


def write(path: Path, array: Bytes) -> None:
    """Write N or N×H×W uint8 values as uncompressed IDX, whole or not at all. Raises OSError, ValueError."""
    with whole_file(path) as temporary:
        temporary.write_bytes(encode(array))


def encode(array: Bytes) -> bytes:
    """The array as IDX bytes. Raises ValueError for anything but uint8 in one or three dimensions."""
    if array.dtype != np.uint8 or array.ndim not in (1, 3):
        raise ValueError(f"IDX: {array.ndim} dimensions of {array.dtype}, expected 1 or 3 of uint8")
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def decode(data: bytes, where: str) -> Bytes:
    """The array in uncompressed IDX bytes. `where` names them in the EtudeError raised if they are not whole."""
    magic = data[:4]
    if magic not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        expected = "00000801 (labels) or 00000803 (images)"
        raise EtudeError(f"{where}: {len(data):,} bytes with magic {magic.hex() or 'none'}, expected {expected}; fetch the file again")
    start = 4 + 4 * magic[3]
    if len(data) < start:
        raise EtudeError(f"{where}: ends after {len(data):,} bytes, inside its header of {start}; fetch the file again")
    shape = struct.unpack(f">{magic[3]}I", data[4:start])
    if len(data) != start + prod(shape):
        size = "×".join(map(str, shape))
        raise EtudeError(f"{where}: {len(data):,} bytes, expected {start + prod(shape):,} for {size} values; fetch the file again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()


def gunzip(data: bytes, limit: int = -1) -> bytes:
    """`data` decompressed if it is gzip, itself if not; at most `limit` bytes if that is not negative.

    Raises ValueError if the gzip is broken.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return stream.read(limit)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{len(data):,} bytes of broken or truncated gzip") from error
