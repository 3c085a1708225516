"""The trained networks that Etude brings, by name: `lecture_residual.lecture`. Imports no torch.

Each is the folder of its run without what only a continued run needs (`python benchmarks/keep.py RUN` makes it), so that whatever
takes a run takes it too.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "weights"


def names() -> tuple[str, ...]:
    """What there is, by network and recipe."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/result.json")))


def place_of(run: Path | str) -> Path:
    """The folder of the kept run of that name, or else `run` itself."""
    return FOLDER / run if str(run) in names() else Path(run)
