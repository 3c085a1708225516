"""Sizes, numbers and shares are written one way."""

import math

from etude.wording import UNKNOWN, duration, mebibytes, number, percent, share, shortened, significant, size, sizes, spread


def test_a_size_is_written_with_crosses() -> None:
    assert size((3, 32, 32)) == "3×32×32"
    assert sizes((64, 8, 8), (64, 8, 8)) == "64×8×8"
    assert sizes((64, 8, 8), (256, 8, 8)) == "64…256×8×8"
    assert sizes((64, 8, 8), (256, 4, 4)) == "64×8×8…256×4×4"


def test_a_number_is_written_as_it_is_read() -> None:
    assert [number(value) for value in (12345, (1, 2000), 0.5, "fail", None)] == ["12,345", "1, 2,000", "0.5", "fail", ""]
    assert (significant(0.0123456), spread(0.4321, 0.0234)) == ("0.0123", "0.43 ± 0.02")
    assert (percent(0.99014), percent(0.5, 0), percent(math.nan)) == ("99.01 %", "50 %", UNKNOWN)
    assert (share(1, 3), share(1, 0), mebibytes(3 * 2**19), mebibytes(2**30, 2)) == ("33.3", "", "1.5", "1,024.00")


def test_of_a_long_text_the_end_is_kept() -> None:
    assert shortened("layer1.0.conv1", 14) == "layer1.0.conv1"
    assert shortened("layer1.0.conv1", 8) == "…0.conv1"


def test_a_duration_is_written_in_the_unit_that_fits() -> None:
    seconds = (40, 89.4, 90, 3600, 5_400, 47 * 3_600, 3 * 86_400, None)
    assert [duration(each) for each in seconds] == ["40 s", "89 s", "2 min", "60 min", "1.5 h", "47.0 h", "3.0 days", UNKNOWN]
