"""What the papers state, as typed and immutable values with citations.

One TOML file a paper; `load("lecture")` reads and checks it. Nothing here imports torch or a model.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from etude.errors import UsageError, nearest
from etude.papers.architecture import Architecture, ArchitectureTable, Block, Layer
from etude.papers.citation import Kind, Read, check_citation, check_kind
from etude.papers.words import Value, words_in
from etude.tables import TableError, build, read_toml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Fact:
    """One value of a paper.

    value    as the source gives it, in `unit`
    at       slide, table, figure or section
    kind     stated | deduced | silent | contradictory
    read     printed | plot | derived | chosen
    reading  only for a contradictory fact: the value we hold to, and `note` says why
    """

    id: str
    value: int | float | str | tuple[int, ...]
    unit: str
    at: str
    kind: Kind
    read: Read
    note: str = ""
    reading: int | float | None = None

    def __post_init__(self) -> None:
        check_citation(self.at)
        check_kind(self.kind, self.read)
        if (self.kind == "contradictory") != (self.reading is not None):
            raise ValueError("a contradictory fact, and only such a one, has a `reading`")
        if self.kind == "contradictory" and not self.note:
            raise ValueError("a contradictory fact needs a `note` that says why we read it so")

    @property
    def held(self) -> Any:
        """The value we hold to: `reading` where the source contradicts itself, `value` otherwise."""
        return self.value if self.reading is None else self.reading


@dataclass(frozen=True)
class Point:
    """One point of a published curve."""

    epoch: int
    value: float
    read: Read


@dataclass(frozen=True)
class Curve:
    """A published curve, e.g. accuracy over epochs; what all points share stands once."""

    id: str
    network: str
    over: Literal["epoch"]
    unit: str
    at: str
    kind: Kind
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        check_citation(self.at)
        for point in self.points:
            check_kind(self.kind, point.read)

    @property
    def last(self) -> Fact:
        """The last point as a fact of its own."""
        point = self.points[-1]
        return Fact(f"{self.id}[{point.epoch}]", point.value, self.unit, self.at, self.kind, point.read)


@dataclass(frozen=True)
class Count:
    """What a network counts: exact by arithmetic or measured on other builds of it, and as the paper prints it.

    network     where it is not the id: `given` are then the words that differ from the network's own
    parameters  learned scalars, biases and normalisation included
    macs        multiply-adds of one image, forward to the logits, biases not counted
    bare        parameters without those of batch normalisation, where the paper prints that
    printed_parameters, printed_macs   as the paper rounds them, at `at`
    printed_is  whether the printed parameters are all of them, or those without batch normalisation
    """

    id: str
    parameters: int
    macs: int | None = None
    bare: int | None = None
    network: str = ""
    given: Mapping[str, Value] = field(default_factory=dict)
    at: str = ""
    printed_parameters: float | None = None
    printed_macs: float | None = None
    printed_is: Literal["all", "bare"] = "all"
    note: str = ""

    def __post_init__(self) -> None:
        if (self.printed_parameters or self.printed_macs) and not self.at:
            raise ValueError("a printed count needs `at`, the place where it is printed")
        if self.printed_is == "bare" and (self.bare is None or self.printed_parameters is None):
            raise ValueError("printed_is = 'bare' without `bare` and `printed_parameters`, which it compares")

    @property
    def of(self) -> str:
        """The id of the network."""
        return self.network or self.id


Statistic = Literal["single run", "best", "median", "mean", "ensemble", "not said"]


@dataclass(frozen=True)
class ResultRow:
    """One method of a results table.

    values   column to value; "fail" where the paper says so
    spreads  column to (mean, standard deviation), where the paper gives them beside
    network  ours, with the words that differ from its own in `given`; empty where we have none
    runs, statistic, note   where they differ from the table's
    """

    method: str
    values: Mapping[str, float | Literal["fail"]]
    spreads: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    network: str = ""
    given: Mapping[str, Value] = field(default_factory=dict)
    runs: int | None = None
    statistic: Statistic | None = None
    note: str = ""


@dataclass(frozen=True)
class ResultTable:
    """Published results that share data, protocol and unit.

    columns    column to what it is, e.g. "c10" to "CIFAR-10 without augmentation"
    protocol   what was measured and how: augmentation, crop, which set
    runs       behind each value, and `statistic` which of them is printed
    """

    id: str
    title: str
    at: str
    kind: Kind
    read: Read
    unit: str
    columns: Mapping[str, str]
    protocol: str
    rows: tuple[ResultRow, ...]
    runs: int = 1
    statistic: Statistic = "single run"
    note: str = ""

    def __post_init__(self) -> None:
        check_citation(self.at)
        check_kind(self.kind, self.read)
        for row in self.rows:
            for column in (*row.values, *row.spreads):
                if column not in self.columns:
                    raise ValueError(f"{row.method}: no column `{column}`; {nearest(column, self.columns)}")

    def how(self, row: ResultRow) -> str:
        """How many runs stand behind a row: "median of 5 runs"."""
        runs, statistic = row.runs or self.runs, row.statistic or self.statistic
        return statistic if runs == 1 else f"{statistic} of {runs} runs"


@dataclass(frozen=True)
class Paper:
    """Everything one source states."""

    id: str
    title: str
    authors: str
    year: int
    source: str
    blocks: Mapping[str, Block] = field(default_factory=dict)
    networks: Mapping[str, Architecture] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    tables: Mapping[str, ArchitectureTable] = field(default_factory=dict)
    counts: Mapping[str, Count] = field(default_factory=dict)
    results: Mapping[str, ResultTable] = field(default_factory=dict)

    def counts_of(self, network: str) -> tuple[Count, ...]:
        """The counts of a network, its own words first."""
        return tuple(count for count in self.counts.values() if count.of == network)

    def results_of(self, network: str) -> tuple[tuple[ResultTable, ResultRow], ...]:
        """The published results of a network, each with its table."""
        return tuple((table, row) for table in self.results.values() for row in table.rows if row.network == network)

    def fact(self, name: str) -> Fact:
        """The fact of that name. Raises UsageError with the nearest names."""
        if name not in self.facts:
            raise UsageError(f"no fact `{name}` in {self.id}; {nearest(name, self.facts)}")
        return self.facts[name]


SECTIONS: dict[str, type[Any]] = {
    "blocks": Block,
    "tables": ArchitectureTable,
    "networks": Architecture,
    "counts": Count,
    "facts": Fact,
    "results": ResultTable,
    "curves": Curve,
}


def names() -> tuple[str, ...]:
    """The papers we have facts of."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@functools.cache
def load(name: str) -> Paper:
    """The facts of one paper. Raises UsageError for an unknown paper, TableError naming file and key for a wrong file."""
    if name not in names():
        raise UsageError(f"no paper `{name}`; {nearest(name, names())}")
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Paper:
    """The facts in one file, checked: keys, types, citations, and the blocks and networks that rows refer to."""
    table = read_toml(path)
    for key in table:
        if key != "paper" and key not in SECTIONS:
            raise TableError(f"{path.name}: unknown key `{key}`; {nearest(key, ['paper', *SECTIONS])}")
    if "paper" not in table:
        raise TableError(f"{path.name}: missing key `paper`")
    parts = {section: _section(table.get(section, {}), cls, f"{path.name}: {section}") for section, cls in SECTIONS.items()}
    paper = build(Paper, table["paper"], f"{path.name}: paper", id=path.stem, **parts)
    _check_references(paper, path.name)
    return paper


def _section(table: Any, cls: type[Any], where: str) -> Mapping[str, Any]:
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise TableError(f"{where} = {table!r}, expected tables")
    return MappingProxyType({name: build(cls, entry, f"{where}.{name}", id=name) for name, entry in table.items()})


def _check_references(paper: Paper, file: str) -> None:
    """Every name that stands for a block, table or network is one that is there."""
    references: list[tuple[str, str, Mapping[str, Any]]] = []
    references += [(f"curves.{curve.id}.network", curve.network, paper.networks) for curve in paper.curves.values()]
    references += [(f"counts.{count.id}.network", count.of, paper.networks) for count in paper.counts.values()]
    references += [(f"networks.{net.id}.table", net.table, paper.tables) for net in paper.networks.values() if net.table]
    for result in paper.results.values():
        references += [(f"results.{result.id}, {row.method}", row.network, paper.networks) for row in result.rows if row.network]
    for where, layers in _tables_of(paper):
        for row, layer in enumerate(layers):
            references += [(f"{where}[{row}].{key}", name, paper.blocks) for key, name in layer.blocks.items() if "{" not in name]
    for where, of, given in [
        *((f"counts.{count.id}", count.of, count.given) for count in paper.counts.values()),
        *((f"results.{table.id}, {row.method}", row.network, row.given) for table in paper.results.values() for row in table.rows),
    ]:
        options = paper.networks[of].given if of in paper.networks else {}
        references += [(f"{where}.given", word, options) for word in given]
    for network in paper.networks.values():
        where, checks = f"networks.{network.id}.checks", network.checks
        if network.table in paper.tables:
            where, checks = f"tables.{network.table}.checks, for {network.id}", paper.tables[network.table].checks
        references += [(where, word, network.words) for check in checks for word in sorted(words_in(check))]
    for where, name, there in references:
        if name not in there:
            raise TableError(f"{file}: {where} = {name!r}; {nearest(name, there)}")


def _tables_of(paper: Paper) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    for network in paper.networks.values():
        yield f"networks.{network.id}.layers", network.layers
    for table in paper.tables.values():
        yield f"tables.{table.id}.layers", table.layers
    for block in paper.blocks.values():
        yield from ((f"blocks.{block.id}.branches.{branch.name}", branch.layers) for branch in block.branches)
        yield f"blocks.{block.id}.after", block.after
