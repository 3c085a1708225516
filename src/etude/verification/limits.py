"""How much memory a look at somebody's code may take: what the network needs, and what the machine has. No torch."""

import math
from collections.abc import Sequence

from etude.capacity import free
from etude.papers import Step

USUAL = 8_192  # MB, enough for all but the largest networks
BASE = 1_024  # MB for Python, torch and what is kept of a run beside its numbers
COPIES = 5  # of every tensor of a run in float64 on two images: two runs with gradients, and what is on its way
MANY = 1 << 25  # numbers that the operators of a table give for one image
SMALL_SIDE = 64
SHARE = 0.9  # of the memory that is free


def megabytes_for(steps: Sequence[Step], gigabytes: float | None = None) -> int:
    """Of 2**20 bytes: as many as were asked for, or what the network needs, 8 GiB at least; no more than nine tenths of what is free.

    gigabytes  of 2**30 bytes, as somebody asked for
    """
    if gigabytes is not None:
        return math.ceil(gigabytes * 1024)
    needed = BASE + COPIES * numbers_of(steps) * 8 * 2 / 2**20
    return math.ceil(min(max(USUAL, needed), SHARE * free()))


def images_for(steps: Sequence[Step], side: int) -> int:
    """How many images a batch has: four, so that a normalisation of single pixels has something to divide by; of large ones two, and of
    a table with many numbers, whose maps are large too.
    """
    return 4 if side <= SMALL_SIDE and numbers_of(steps) <= MANY else 2


def numbers_of(steps: Sequence[Step]) -> int:
    """All that the operators of a table give for one image."""
    return sum(math.prod(step.shape) for step in steps)
