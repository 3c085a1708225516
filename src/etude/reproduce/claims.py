"""What is claimed, as data: one TOML file a reproduction. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

from etude.errors import UsageError, nearest
from etude.tables import build, read_toml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Claim:
    """One network to train; see lecture.toml for the keys."""

    recipe: str
    published: str = ""
    runs: str = ""
    margin: float = 0.0
    beside: str = ""
    unjudged: str = ""

    def __post_init__(self) -> None:
        if bool(self.published) == bool(self.unjudged):
            raise ValueError("expected either `published`, or `unjudged` with the reason")
        if self.published and not (self.runs and self.margin > 0):
            raise ValueError("a `published` claim needs `runs` and a `margin` above 0")


@dataclass(frozen=True)
class Claims:
    """Everything that one reproduction holds against a paper."""

    name: str
    paper: str
    title: str
    trained: tuple[Claim, ...]


def names() -> tuple[str, ...]:
    """The reproductions there are."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Claims:
    """The claims of that name. Raises UsageError with the nearest names."""
    if name not in names():
        raise UsageError(f"no reproduction `{name}`; {nearest(name, names())}")
    path = FOLDER / f"{name}.toml"
    return build(Claims, read_toml(path), path.name, name=name)
