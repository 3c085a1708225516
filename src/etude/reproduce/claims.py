"""What is claimed, as data: one TOML file a reproduction, and the published values that it refers to. Imports no torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from etude.errors import UsageError, nearest
from etude.papers import Curve, Paper, Statistic
from etude.tables import TableError, build, read_toml

FOLDER = Path(__file__).parent
SEEDS_NEEDED = 3
T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """Where a published value stands in the facts of a paper: the end of a curve, or a cell of a results table.

    curve, runs             the curve, and the fact that says how many runs stand behind it
    table, method, column   the table, its row and its column
    """

    curve: str = ""
    runs: str = ""
    table: str = ""
    method: str = ""
    column: str = ""

    def __post_init__(self) -> None:
        of_curve, of_table = (self.curve, self.runs), (self.table, self.method, self.column)
        if not ((all(of_curve) and not any(of_table)) or (all(of_table) and not any(of_curve))):
            raise ValueError("a published value is either `curve` and `runs`, or `table`, `method` and `column`")


@dataclass(frozen=True)
class PublishedValue:
    """One published result, in % accuracy or % error; "fail" where the paper prints that."""

    value: float | str
    unit: str
    at: str
    runs: int
    statistic: Statistic
    curve: Curve | None = None

    @property
    def is_error(self) -> bool:
        """Whether lower is better."""
        return "error" in self.unit


@dataclass(frozen=True)
class Claim:
    """One network to train; see lecture.toml for the keys."""

    recipe: str
    published: Reference | None = None
    margin: float = 0.0
    widest: float = math.inf
    beside: str = ""
    unjudged: str = ""

    def __post_init__(self) -> None:
        if bool(self.published) == bool(self.unjudged):
            raise ValueError("expected either `published`, or `unjudged` with the reason")
        if self.published and not self.margin > 0:
            raise ValueError("a `published` claim needs a `margin` above 0")
        if not self.widest > 0:
            raise ValueError(f"widest = {self.widest:g}, expected points above 0")


@dataclass(frozen=True)
class Claims:
    """Everything that one reproduction holds against a paper.

    costs   whether the paper's worked example of a convolution's cost is measured too
    note    what a reader of the page should know of its recipes
    seeds   that a value of the paper's budget needs to be judged
    """

    name: str
    paper: str
    title: str
    trained: tuple[Claim, ...]
    costs: bool = False
    note: str = ""
    seeds: int = SEEDS_NEEDED

    def __post_init__(self) -> None:
        if self.seeds < SEEDS_NEEDED:
            raise ValueError(f"seeds = {self.seeds}, expected at least {SEEDS_NEEDED}")
        if not self.trained:
            raise ValueError("trained names no network; expected at least one [[trained]]")
        known = [claim.recipe for claim in self.trained]
        for claim in self.trained:
            if known.count(claim.recipe) > 1:
                raise ValueError(f"trained: {claim.recipe} stands there twice")
            if claim.beside and claim.beside not in known:
                raise ValueError(f"trained: {claim.recipe} is put beside {claim.beside}; {nearest(claim.beside, known)}")


def names() -> tuple[str, ...]:
    """The reproductions that Etude brings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Claims:
    """The claims of that name, or in a .toml file of one's own. Raises UsageError with the nearest names, TableError for a wrong file."""
    if not name.endswith(".toml") and name not in names():
        raise UsageError(f"no reproduction `{name}`; {nearest(name, names())}")
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    return build(Claims, read_toml(path), path.name, name=path.stem)


def published_value(paper: Paper, reference: Reference) -> PublishedValue:
    """The value that a claim refers to. Raises TableError with the nearest names."""
    if reference.curve:
        curve = _entry(paper.curves, reference.curve, f"{paper.id}: curve")
        runs = int(paper.fact(reference.runs).held)
        return PublishedValue(float(curve.last.held), curve.unit, curve.at, runs, "single run" if runs == 1 else "mean", curve)
    table = _entry(paper.results, reference.table, f"{paper.id}: table")
    row = _entry({row.method: row for row in table.rows}, reference.method, f"{table.id}: method")
    value = _entry(row.values, reference.column, f"{table.id}: column")
    return PublishedValue(value, table.unit, table.at, row.runs or table.runs, row.statistic or table.statistic)


def _entry(entries: Mapping[str, T], name: str, what: str) -> T:
    if name not in entries:
        raise TableError(f"{what} {name!r} is not there; {nearest(name, entries)}")
    return entries[name]
