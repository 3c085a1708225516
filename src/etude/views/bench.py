"""How fast the engines compute a network on this machine, side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.views.view import Block, Points, Table, Text, View

if TYPE_CHECKING:
    from etude.export.timing import Bench

COUNTS = (1, 100, 10_000)  # images, for which it is said what `auto` takes


def bench_view(title: str, benches: "Sequence[Bench]", lacking: Sequence[str]) -> View:
    """Every size of a batch, and what is not installed. No torch."""
    first = benches[0].place
    parts: list[Block | View] = [
        Text(f"{title} on {first.threads} threads; milliseconds an image: the median of rounds in which all took turns")
    ]
    for bench in benches:
        parts.append(Table(COLUMNS, tuple(rows(bench)), (1, 2, 3, 4, 5), about=f"Batches of {bench.place.batch}"))
        taken = "; ".join(f"for {count:,} {'image' if count == 1 else 'images'} {bench.chosen(count)}" for count in COUNTS)
        parts.append(Text(f"--engine auto takes {taken}."))
        parts += [Points("Not timed", tuple(f"{name}: {why}" for name, why in bench.failures.items()))] if bench.failures else []
    parts += [Points("Not there", tuple(lacking))] if lacking else []
    batches = ",".join(str(bench.place.batch) for bench in benches)
    plain = [
        {
            "batch": bench.place.batch,
            "threads": bench.place.threads,
            "engines": bench.timings,
            "failures": bench.failures,
            "auto": {str(count): bench.chosen(count) for count in COUNTS},
        }
        for bench in benches
    ]
    return View("Engines", f"etude bench {title} --batch {batches}", tuple(parts), plain)


COLUMNS = ("engine", "ms an image", "quartiles", "times torch", "s to be ready", "largest difference")


def rows(bench: "Bench") -> list[tuple[str, ...]]:
    """The fastest first."""
    torch = bench.timings["torch"].seconds
    return [
        (
            name,
            f"{1e3 * timing.seconds:.3g}",
            f"{1e3 * timing.low:.3g}–{1e3 * timing.high:.3g}",
            f"{torch / timing.seconds:.2f}",
            f"{timing.ready:.1f}",
            f"{timing.difference:.1e}{'' if timing.usable else ': something else'}",
        )
        for name, timing in bench.timings.items()
    ]
