"""What the papers state, as typed and immutable values with citations.

One TOML file a paper; `load("lecture")` reads and checks it. Nothing here imports torch or a model.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from etude.errors import UsageError, nearest
from etude.tables import TableError, build, read_toml

FOLDER = Path(__file__).parent

Kind = Literal["stated", "deduced", "silent", "contradictory"]
Read = Literal["printed", "plot", "derived", "chosen"]
Op = Literal["conv", "linear", "batch_norm", "relu", "max_pool", "avg_pool", "global_avg_pool", "flatten", "scale", "block"]

NEEDED = {
    "conv": ("kernel", "out"),
    "linear": ("out",),
    "max_pool": ("kernel",),
    "avg_pool": ("kernel",),
    "scale": ("factor",),
    "block": ("block",),
}
WORDS = ("in", "growth_rate")


def _check_kind(kind: Kind, read: Read) -> None:
    if (kind == "silent") != (read == "chosen"):
        raise ValueError(f"kind = {kind!r} with read = {read!r}; what a source leaves silent is chosen, and only that")
    if kind == "stated" and read == "derived":
        raise ValueError("kind = 'stated' with read = 'derived'; a derived value is deduced")


def _check_citation(at: str) -> None:
    if not at.strip():
        raise ValueError("`at` is empty; expected the slide, table, figure or section")


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
        _check_citation(self.at)
        _check_kind(self.kind, self.read)
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
        _check_citation(self.at)
        for point in self.points:
            _check_kind(self.kind, point.read)

    @property
    def last(self) -> Fact:
        """The last point as a fact of its own."""
        point = self.points[-1]
        return Fact(f"{self.id}[{point.epoch}]", point.value, self.unit, self.at, self.kind, point.read)


@dataclass(frozen=True)
class Layer:
    """One row of an architecture table. `out` may name an argument of the block ("in" is its input's channels)."""

    op: Op
    name: str = ""
    kernel: int | None = None
    stride: int = 1
    padding: int = 0
    out: int | str | None = None
    bias: bool = True
    factor: float | None = None
    block: str | None = None
    growth_rate: int | None = None
    repeat: int = 1

    def __post_init__(self) -> None:
        for key in NEEDED.get(self.op, ()):
            if getattr(self, key) is None:
                raise ValueError(f"op = {self.op!r} without `{key}`")
        if isinstance(self.out, str) and self.out not in WORDS:
            raise ValueError(f"out = {self.out!r}, expected a number or one of {', '.join(WORDS)}")


@dataclass(frozen=True)
class Branch:
    """One path through a block; no layers means the input itself."""

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Block:
    """A block: its branches see the same input, are joined, and `after` follows."""

    id: str
    at: str
    kind: Kind
    read: Read
    branches: tuple[Branch, ...]
    join: Literal["concat", "add"] | None = None
    after: tuple[Layer, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        _check_citation(self.at)
        _check_kind(self.kind, self.read)
        if (self.join is None) != (len(self.branches) == 1):
            raise ValueError(f"{len(self.branches)} branches with join = {self.join!r}; several branches need one")


@dataclass(frozen=True)
class Network:
    """A network's architecture table, for an input of `input` = (channels, height, width)."""

    id: str
    title: str
    at: str
    kind: Kind
    read: Read
    input: tuple[int, int, int]
    layers: tuple[Layer, ...]
    note: str = ""

    def __post_init__(self) -> None:
        _check_citation(self.at)
        _check_kind(self.kind, self.read)


@dataclass(frozen=True)
class Paper:
    """Everything one source states."""

    id: str
    title: str
    authors: str
    year: int
    source: str
    blocks: Mapping[str, Block] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)

    def fact(self, name: str) -> Fact:
        """The fact of that name. Raises UsageError with the nearest names."""
        if name not in self.facts:
            raise UsageError(f"no fact `{name}` in {self.id}; {nearest(name, self.facts)}")
        return self.facts[name]


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
    sections: dict[str, type[Any]] = {"blocks": Block, "networks": Network, "facts": Fact, "curves": Curve}
    for key in table:
        if key != "paper" and key not in sections:
            raise TableError(f"{path.name}: unknown key `{key}`; {nearest(key, ['paper', *sections])}")
    if "paper" not in table:
        raise TableError(f"{path.name}: missing key `paper`")
    parts = {section: _section(table.get(section, {}), cls, f"{path.name}: {section}") for section, cls in sections.items()}
    paper = build(Paper, table["paper"], f"{path.name}: paper", id=path.stem, **parts)
    _check_references(paper, path.name)
    return paper


def _section(table: Any, cls: type[Any], where: str) -> Mapping[str, Any]:
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise TableError(f"{where} = {table!r}, expected tables")
    return MappingProxyType({name: build(cls, entry, f"{where}.{name}", id=name) for name, entry in table.items()})


def _check_references(paper: Paper, file: str) -> None:
    for curve in paper.curves.values():
        if curve.network not in paper.networks:
            raise TableError(f"{file}: curves.{curve.id}.network = {curve.network!r}; {nearest(curve.network, paper.networks)}")
    tables = {f"networks.{network.id}.layers": network.layers for network in paper.networks.values()}
    for block in paper.blocks.values():
        tables |= {f"blocks.{block.id}.branches.{branch.name}": branch.layers for branch in block.branches}
        tables[f"blocks.{block.id}.after"] = block.after
    for where, layers in tables.items():
        for row, layer in enumerate(layers):
            if layer.block is not None and layer.block not in paper.blocks:
                raise TableError(f"{file}: {where}[{row}].block = {layer.block!r}; {nearest(layer.block, paper.blocks)}")
