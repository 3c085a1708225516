"""A drawn digit as MNIST has its digits.

MNIST (LeCun, Cortes, Burges): a digit is scaled to fit 20×20 pixels, its proportions kept, and laid into 28×28 so that its centre of
mass is in the middle; white is 255, the ground 0.
"""

import numpy as np
from PIL import Image

from etude.data.idx import Bytes

SIDE, INNER = 28, 20
INK = 30  # less is no ink


def centred(drawn: Bytes) -> Bytes:
    """A digit of any size, as height×width uint8 with ink bright on black, to 28×28. Without ink all of it is black."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = np.nonzero(drawn >= INK)
    if not len(rows):
        return picture
    cut = Image.fromarray(drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    scale = INNER / max(cut.size)
    inner = np.asarray(cut.resize([max(1, round(side * scale)) for side in cut.size], Image.Resampling.BOX))
    top, left = (corner(inner, axis) for axis in (0, 1))
    picture[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return picture


def corner(inner: Bytes, axis: int) -> int:
    """Where the digit begins, so that its centre of mass is in the middle and all of it within."""
    weights = inner.sum(axis=1 - axis, dtype=np.float64)
    centre = (weights * (np.arange(len(weights)) + 0.5)).sum() / weights.sum()
    return int(np.clip(round(SIDE / 2 - centre), 0, SIDE - len(weights)))
