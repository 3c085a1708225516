"""A drawn digit is laid out as MNIST's digits are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.data.digit import INNER, SIDE, centred


@given(st.data())
def test_scaled_to_twenty_pixels_and_centred_by_its_mass(data: st.DataObject) -> None:
    side = data.draw(st.integers(40, 160))
    drawn = np.zeros((side, side), np.uint8)
    for _ in range(data.draw(st.integers(1, 4))):  # strokes: bars of some thickness anywhere
        top, left = (data.draw(st.integers(0, side - 8)) for _ in range(2))
        height, width = (data.draw(st.integers(8, side)) for _ in range(2))
        drawn[top : top + height, left : left + width] = 255
    picture = centred(drawn)
    assert picture.shape == (SIDE, SIDE)
    rows, columns = np.nonzero(picture)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == INNER
    for axis, lines in enumerate((rows, columns)):
        weights = picture.sum(axis=1 - axis, dtype=float)
        centre = (weights * (np.arange(SIDE) + 0.5)).sum() / weights.sum()
        assert centre <= SIDE / 2 + 0.5 or lines.min() == 0  # at an edge it can be moved no further
        assert centre >= SIDE / 2 - 0.5 or lines.max() == SIDE - 1


def test_its_proportions_stay() -> None:
    drawn = np.zeros((140, 140), np.uint8)
    drawn[10:130, 60:66] = 255  # 120×6
    rows, columns = np.nonzero(centred(drawn))
    assert [int(np.ptp(line)) + 1 for line in (rows, columns)] == [20, 1]


@pytest.mark.parametrize("ink", [0, 10])
def test_without_ink_all_is_black(ink: int) -> None:
    assert not centred(np.full((30, 30), ink, np.uint8)).any()
