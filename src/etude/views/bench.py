"""How fast the engines compute a network on this machine, side by side. No torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.views.view import Points, Table, Text, View

if TYPE_CHECKING:
    from etude.export.timing import Bench

COLUMNS = ("batch", "engine", "ms an image", "quartiles", "times as fast as torch", "s to be ready", "largest difference")
COUNTS = (1, 100, 10_000)  # images, for which it is said what `auto` takes


def bench_view(title: str, benches: "Sequence[Bench]", lacking: Sequence[str], command: str) -> View:
    """Batches of every size, the fastest engine first; what fails, and what is not installed; `command` shows the same."""
    threads = benches[0].place.threads
    on = f"on {threads} thread{'s' if threads > 1 else ''}"
    rounds = "medians of rounds in which all took turns; --engine auto goes by how much faster than torch each was in the same round"
    about = f"{title} {on}: {rounds}; differences are from torch, of the largest logit"
    table = Table(COLUMNS, tuple(row for bench in benches for row in rows(bench)), right=(0, 2, 3, 4, 5, 6))
    taken = Points("What --engine auto takes", tuple(in_words(bench) for bench in benches))
    failures = tuple(f"{name}, batches of {bench.place.batch}: {why}" for bench in benches for name, why in bench.failures.items())
    more = [Points(said, texts) for said, texts in (("What fails", failures), ("What is not there", tuple(lacking))) if texts]
    plain = [
        {
            "batch": bench.place.batch,
            "threads": threads,
            "engines": bench.timings,
            "failures": bench.failures,
            "auto": {str(count): bench.chosen(count) for count in COUNTS},
        }
        for bench in benches
    ]
    return View("Engines", command, (Text(about), table, taken, *more), plain)


def rows(bench: "Bench") -> list[tuple[str, ...]]:
    return [
        (
            str(bench.place.batch),
            name,
            f"{1e3 * timing.seconds:.3g}",
            f"{1e3 * timing.low:.3g}–{1e3 * timing.high:.3g}",
            f"{1 / timing.share:.2f}",
            f"{timing.ready:.1f}",
            f"{timing.difference:.0e}",
        )
        for name, timing in bench.timings.items()
    ]


def in_words(bench: "Bench") -> str:
    each = "one at a time" if bench.place.batch == 1 else f"{bench.place.batch} at a time"
    return f"{each}: " + ", ".join(f"{bench.chosen(count)} for {count:,}" for count in COUNTS)
