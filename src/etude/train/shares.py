"""Shares of which so many of so many were seen, with their intervals. No torch."""

import math

from etude.wording import percent

SURE = 1.959964  # standard deviations of a normal distribution on either side that hold 95 %


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval."""
    share, square = right / count, SURE**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = SURE * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def between(right: int, count: int) -> str:
    """76.2 to 81.2 %."""
    low, high = interval(right, count)
    return f"{100 * low:.1f} to {percent(high, 1)}"
