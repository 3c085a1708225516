"""`etude bench`: which engine computes a network fastest on this machine."""

import shlex
from pathlib import Path

import click

from etude.cli.convert import about_images
from etude.cli.export import card_of
from etude.cli.render import faces, given, say, show
from etude.errors import UsageError


@click.command()
@click.argument("place", metavar="RUN|NAME|WEIGHTS")
@click.option("--batch", "batches", default="1,16", show_default=True, metavar="N,…", help="How many images at once.")
@click.option("--threads", type=click.IntRange(min=1), help="How many threads; by default as many as torch takes.")
@faces
@about_images
def bench(place: str, batches: str, threads: int | None, html: Path | None, json_: bool, **about: str | None) -> None:
    """Time a network by every engine that is installed, side by side: torch, torch made faster, ONNX Runtime, OpenVINO.

    Every time is that of float32 on the processor, with the largest difference from torch beside it. What is found is kept in Etude's
    cache, and `etude predict` goes by it.
    """
    sizes = read_batches(batches)
    card = card_of(place, about)
    from etude.export import timing
    from etude.export.engines import ENGINES
    from etude.views.bench import bench_view

    with timing.threads(threads):
        found = [timing.bench(card.trained, size, say) for size in sizes]
    lacking = [f"{name}: {engine.lacks}" for name, engine in ENGINES.items() if engine.lacks]
    command = shlex.join(["etude", "bench", place, *given(batch=batches, threads=threads, **about)])
    show(bench_view(place, found, lacking, command), html, json_)


def read_batches(text: str) -> list[int]:
    """`1,16`. Raises UsageError for what is no list of sizes."""
    sizes = text.split(",")
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise UsageError(f"--batch {text}: expected whole numbers of at least 1, such as --batch 1,16")
    return [int(size) for size in sizes]
