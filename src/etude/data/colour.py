"""The colours of an image changed by chance, as the papers say: whatever is done, every pixel is multiplied by a matrix and moved."""

from random import Random
from typing import Literal

import numpy as np
import numpy.typing as npt

LIGHTING = 0.1  # standard deviation of the numbers that the covariance of the colours is multiplied by
JITTER = 0.4  # by how much of itself brightness, contrast or saturation may change
GREY = np.array([0.299, 0.587, 0.114])  # of red, green and blue

Numbers = npt.NDArray[np.float64]


def change(colour: Literal["AlexNet", "fb.resnet.torch"], covariance: Numbers, mean: Numbers, chance: Random) -> Numbers:
    """A change of colours, drawn: 3×4, the matrix for a pixel's red, green and blue from 0 to 1, and what is added then.

    covariance  3×3, of red, green and blue over the training images. AlexNet adds Σ αᵢλᵢpᵢ by its eigenvectors pᵢ and eigenvalues λᵢ, with
                normal αᵢ: that is distributed as the covariance times normal numbers, since the pᵢ are a rotation
    mean        of the image, 3
    """
    matrix, offset = np.eye(3), np.zeros(3)
    if colour == "fb.resnet.torch":
        for kind in chance.sample(("brightness", "contrast", "saturation"), 3):
            share = 1 + chance.uniform(-JITTER, JITTER)
            mixed = np.eye(3) * share + (1 - share) * np.outer(np.ones(3), GREY) * (kind == "saturation")
            grey = (1 - share) * (GREY @ (matrix @ mean + offset)) * (kind == "contrast")  # of the image as it is now
            matrix, offset = mixed @ matrix, mixed @ offset + grey
    offset = offset + covariance @ [chance.gauss(0, LIGHTING) for _ in range(3)]
    return np.column_stack((matrix, offset))
