"""What is claimed, as data: one TOML file a reproduction, and the published values that it refers to. Imports no torch."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from etude.errors import UsageError, nearest
from etude.models.network import Network
from etude.papers import Curve, Paper, Statistic
from etude.tables import TableError, build, read_toml

FOLDER = Path(__file__).parent
SEEDS_NEEDED = 3
PAIRS_NEEDED = 5
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
    """One published result, in % accuracy or % error; "fail" where the paper prints that, for more than `fail` % error.

    printed  as it stands in the paper, where that is the best of several runs and their mean stands beside it
    """

    value: float | str
    unit: str
    at: str
    runs: int
    statistic: Statistic
    curve: Curve | None = None
    fail: float | None = None
    printed: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether lower is better."""
        return "error" in self.unit


@dataclass(frozen=True)
class Claim:
    """One network to train, and the published value that it answers; see lecture.toml for the keys."""

    recipe: str
    published: Reference | None = None
    margin: float = 0.0
    widest: float = math.inf
    beside: str = ""
    unjudged: str = ""

    def __post_init__(self) -> None:
        if not self.published and not self.unjudged:
            raise ValueError("expected either `published`, or `unjudged` with the reason")
        if not self.widest > 0:
            raise ValueError(f"widest = {self.widest:g}, expected points above 0")


@dataclass(frozen=True)
class TableClaim:
    """Every row of a results table that names a network of ours; see resnet.toml for the keys."""

    table: str
    recipes: Mapping[str, str]
    widest: Mapping[str, float] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    unjudged: str = ""

    def claims(self, paper: Paper) -> Iterator[Claim]:
        """One for every published value. Raises TableError for a table, column or method that is not there."""
        table = _entry(paper.results, self.table, f"{paper.id}: table")
        for column in (*self.recipes, *self.widest):
            _entry(table.columns, column, f"{table.id}: column")
        for method in self.methods:
            _entry({row.method: row for row in table.rows}, method, f"{table.id}: method")
        for row in table.rows:
            for column in row.values if row.network else ():
                if column in self.recipes:
                    recipe = self.methods.get(row.method, self.recipes[column])
                    reference = Reference(table=table.id, method=row.method, column=column)
                    network = Network(row.network, row.given)
                    yield Claim(f"{network}.{recipe}", reference, widest=self.widest.get(column, math.inf), unjudged=self.unjudged)


@dataclass(frozen=True)
class OrderClaim:
    """One network trains worse than another from the same seeds; stated before the runs. See resnet.toml for the keys."""

    id: str
    says: str
    at: str
    worse: str
    better: str
    measured: Literal["training error", "test error"]
    least: float
    family: str
    budget: Literal["laptop", "paper"] = "laptop"
    set: tuple[str, ...] = ()
    by_less_than: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.least >= 0:
            raise ValueError(f"least = {self.least:g}, expected points, 0 for any difference")


@dataclass(frozen=True)
class Claims:
    """Everything that one reproduction holds against a paper.

    costs   whether the paper's worked example of a convolution's cost is measured too
    note    what a reader of the page should know of its recipes
    seeds   that a value of the paper's budget needs to be judged, and an order
    named   whether a single table was asked for by its name, which is then trained whatever the budget
    """

    name: str
    paper: str
    title: str
    trained: tuple[Claim, ...] = ()
    tables: tuple[TableClaim, ...] = ()
    orders: tuple[OrderClaim, ...] = ()
    costs: bool = False
    note: str = ""
    seeds: int = SEEDS_NEEDED
    named: bool = False

    def __post_init__(self) -> None:
        if self.seeds < SEEDS_NEEDED:
            raise ValueError(f"seeds = {self.seeds}, expected at least {SEEDS_NEEDED}")
        if self.orders and self.seeds < PAIRS_NEEDED:
            raise ValueError(f"seeds = {self.seeds}, expected at least {PAIRS_NEEDED} where orders are claimed")
        if not (self.trained or self.tables or self.orders):
            raise ValueError("trained names no network; expected at least one [[trained]], [[tables]] or [[orders]]")
        known = [claim.recipe for claim in self.trained]
        for claim in self.trained:
            if known.count(claim.recipe) > 1:
                raise ValueError(f"trained: {claim.recipe} stands there twice")
            if claim.published and not claim.margin > 0:
                raise ValueError(f"trained: {claim.recipe}: a `published` claim needs a `margin` above 0")
            if claim.beside and claim.beside not in known:
                raise ValueError(f"trained: {claim.recipe} is put beside {claim.beside}; {nearest(claim.beside, known)}")
        orders = {order.id: order for order in self.orders}
        for order in self.orders:
            if [other.id for other in self.orders].count(order.id) > 1:
                raise ValueError(f"orders: {order.id} stands there twice; give each an id of its own")
            if order.by_less_than and order.by_less_than not in orders:
                raise ValueError(f"orders: {order.id}: by_less_than = {order.by_less_than!r}; {nearest(order.by_less_than, orders)}")


def names() -> tuple[str, ...]:
    """The reproductions that Etude brings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Claims:
    """The claims of that name, those of one table (`resnet.table_6`), or in a .toml file of one's own.

    Raises UsageError with the nearest names, TableError for a wrong file.
    """
    whole, _, table = ("", "", "") if name.endswith(".toml") else name.partition(".")
    if not name.endswith(".toml") and whole not in names():
        raise UsageError(f"no reproduction `{name}`; {nearest(whole, names())}")
    path = FOLDER / f"{whole}.toml" if whole else Path(name)
    held = build(Claims, read_toml(path), path.name, name=path.stem)
    if not table:
        return held
    tables = {claim.table: claim for claim in held.tables}
    if table not in tables:
        raise UsageError(f"no table `{table}` in {whole}; {nearest(table, tables)}")
    return dataclasses.replace(held, name=name, trained=(), tables=(tables[table],), orders=(), named=True)


def values(held: Claims, paper: Paper) -> tuple[Claim, ...]:
    """Every claim of a value: those that stand in the file, and those that follow from its tables."""
    return (*held.trained, *(claim for table in held.tables for claim in table.claims(paper)))


def published_value(paper: Paper, reference: Reference) -> PublishedValue:
    """The value that a claim refers to; of the best of several runs, their mean where it stands beside.

    Raises TableError with the nearest names.
    """
    if reference.curve:
        curve = _entry(paper.curves, reference.curve, f"{paper.id}: curve")
        runs = paper.fact(reference.runs).held
        if not isinstance(runs, int):
            raise TableError(f"{paper.id}: runs {reference.runs!r} = {runs!r}, expected a fact that is a whole number")
        return PublishedValue(float(curve.last.held), curve.unit, curve.at, runs, "single run" if runs == 1 else "mean", curve)
    table = _entry(paper.results, reference.table, f"{paper.id}: table")
    methods = [row for row in table.rows if row.method == reference.method]
    row = _entry({row.method: row for row in table.rows}, reference.method, f"{table.id}: method")
    row = next((row for row in methods if reference.column in row.values), row)  # a method may have a row for each data set
    value = _entry(row.values, reference.column, f"{table.id}: column")
    found = PublishedValue(value, table.unit, table.at, row.runs or table.runs, row.statistic or table.statistic)
    if value == "fail":
        return dataclasses.replace(found, fail=float(paper.fact("fail").held))
    if found.statistic == "best" and reference.column in row.spreads and isinstance(value, float):
        return dataclasses.replace(found, value=row.spreads[reference.column][0], statistic="mean", printed=value)
    return found


def _entry(entries: Mapping[str, T], name: str, what: str) -> T:
    if name not in entries:
        raise TableError(f"{what} {name!r} is not there; {nearest(name, entries)}")
    return entries[name]
