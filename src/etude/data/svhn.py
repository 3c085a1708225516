"""The MATLAB files of SVHN: `X` 32×32×3×N, and `y` N×1 with the digit, a ten for zero."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from etude.data.idx import Labelled
from etude.errors import EtudeError


def read_set(paths: Sequence[Path]) -> tuple[Labelled, Labelled]:
    """Training set, the extra images behind it, and test set. Raises EtudeError where scipy is missing or a file is not as described."""
    training, extra, test = map(_read, paths)
    images, labels = (np.concatenate(parts) for parts in zip(training, extra, strict=True))
    return (images, labels), test


def _read(path: Path) -> Labelled:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise EtudeError(f"{path}: MATLAB files are read by scipy, which is not installed: pip install 'etude-cnn[svhn]'") from error
    try:
        content = loadmat(path, variable_names=("X", "y"))
        images, digits = content["X"], content["y"].ravel()
        if images.shape != (32, 32, 3, len(digits)):
            raise ValueError(f"X is {'×'.join(map(str, images.shape))} with {len(digits):,} labels")
        return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), (digits % 10).astype(np.uint8)
    except (MatReadError, zlib.error, OSError, ValueError, KeyError, TypeError) as error:
        raise EtudeError(f"{path}: is not as the official files are ({error}); remove it and fetch the set again") from error
