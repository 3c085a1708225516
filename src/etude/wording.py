"""How a size, a number, a share is written, in every room: 3×32×32; 12,345; 99.01 %."""

import math
from collections.abc import Iterable, Sequence

UNKNOWN = "–"


def size(shape: Iterable[int]) -> str:
    """3×32×32."""
    return "×".join(map(str, shape))


def sizes(first: Sequence[int], last: Sequence[int]) -> str:
    """The size of what comes out; of repeats that grow, the first and the last: 64…256×56×56."""
    if first == last:
        return size(last)
    return f"{first[0] if first[1:] == last[1:] else size(first)}…{size(last)}"


def number(value: object) -> str:
    """12,345; several whole numbers side by side; what is none as it stands, and nothing for None."""
    if isinstance(value, tuple):
        return ", ".join(map(number, value))
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def significant(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}"


def spread(mean: float, deviation: float) -> str:
    """0.43 ± 0.02: two digits of a mean, one of its standard deviation."""
    return f"{mean:.2g} ± {deviation:.1g}"


def percent(fraction: float, digits: int = 2) -> str:
    """99.01 %."""
    return UNKNOWN if math.isnan(fraction) else f"{100 * fraction:.{digits}f} %"


def result(value: float | str) -> str:
    """A published or measured result, in hundredths of a point; a word such as "fail" as it is."""
    return value if isinstance(value, str) else f"{value:.2f}"


def share(part: int, whole: int) -> str:
    """The part in hundredths of the whole, for a column that says so; nothing where there is no whole."""
    return f"{100 * part / whole:.1f}" if whole else ""


def mebibytes(count: int, digits: int = 1) -> str:
    """A number of bytes in MiB."""
    return f"{count / 2**20:,.{digits}f}"


def duration(seconds: float | None) -> str:
    """40 s, 12 min, 3.5 h, 2.1 days."""
    if seconds is None:
        return UNKNOWN
    for most, unit, name in ((90, 1, "s"), (5_400, 60, "min"), (2 * 86_400, 3_600, "h")):
        if seconds < most:
            return f"{seconds / unit:.{1 if unit == 3_600 else 0}f} {name}"
    return f"{seconds / 86_400:,.1f} days"


def shortened(text: str, width: int) -> str:
    """The end of a text that is wider."""
    return text if len(text) <= width else f"…{text[1 - width :]}"
