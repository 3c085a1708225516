"""Which exercise a file is for that is not called quite as asked: ResidualBlock.py, `conv1x1 (1).py`, anna_conv1x1_final.py. No torch."""

import re
from pathlib import Path

from etude.practice.exercises import exercise, names
from etude.source import NOTEBOOK

KINDS = (".py", NOTEBOOK)


def exercise_of(file: Path) -> str | None:
    """The one exercise whose name the file's name contains, whole words and capitals aside; None for none or several."""
    words = f"_{parted(file.stem)}_"
    found = [name for name in names() if f"_{name}_" in words or name.replace("_", "") == file.stem.lower()]
    return found[0] if len(found) == 1 and file.suffix in KINDS else None


def parted(name: str) -> str:
    """`ResidualBlock (1)` as `residual_block_1`."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").lower()


def is_meant(file: Path, name: str) -> bool:
    """Whether a file is probably for that exercise: by its own name, or since it defines what the exercise asks for."""
    if file.suffix not in KINDS:
        return False
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return exercise_of(file) == name or bool(re.search(rf"^\s*\"?(class|def) {exercise(name).callables[0]}\b", text, flags=re.MULTILINE))
