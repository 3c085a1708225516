"""The rows of an architecture table, as a paper prints them: layers, the blocks they form, and the networks of both.

A size in a row is a number or an expression over words ("4 * growth_rate"). The words are the network's own, which are
also the options of the model (`depth`, `shortcut`, …), those that a row gives to its block, and `channels`, the channels
of what comes in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from etude.papers.citation import Kind, Read, check_citation, check_kind
from etude.papers.words import Value, parsed

Op = Literal[
    "conv",
    "linear",
    "batch_norm",
    "local_response_norm",
    "relu",
    "sigmoid",
    "dropout",
    "max_pool",
    "avg_pool",
    "adaptive_avg_pool",
    "global_avg_pool",
    "flatten",
    "scale",
    "one_minus",
    "multiply",
    "slice",
    "pad",
    "block",
]
Size = int | float | str

NEEDED = {
    "conv": ("kernel", "out"),
    "linear": ("out",),
    "local_response_norm": ("kernel",),
    "dropout": ("factor",),
    "max_pool": ("kernel",),
    "avg_pool": ("kernel",),
    "adaptive_avg_pool": ("out",),
    "scale": ("factor",),
    "multiply": ("by",),
    "pad": ("out",),
    "block": ("block",),
}


@dataclass(frozen=True)
class Layer:
    """One row.

    op       what it is; `block` runs the block of that name, `repeat` times
    name     as in the paper, where it has one
    out      output channels or features; the side of the output of an adaptive pool
    ceil     a pool's windows may reach over the edge (Caffe, "SAME")
    factor   of a scaling; the share that a dropout removes
    by       the branch whose result this one is multiplied with
    first    the block that stands in for the first of the repeats, where that one differs. In names of blocks, `{word}` stands
             for the word's value: "shortcut_{kind}"
    given    words for the block
    when     the row is there only where this holds
    side     what follows does not see this row's result (an auxiliary head)
    """

    op: Op
    name: str = ""
    kernel: Size | None = None
    stride: Size = 1
    padding: Size = 0
    ceil: bool | str = False
    out: Size | None = None
    bias: bool | str = True
    factor: float | str | None = None
    by: str | None = None
    block: str | None = None
    first: str | None = None
    repeat: Size = 1
    given: Mapping[str, Size] = field(default_factory=dict)
    when: str | None = None
    side: bool = False

    def __post_init__(self) -> None:
        for key in NEEDED.get(self.op, ()):
            if getattr(self, key) is None:
                raise ValueError(f"op = {self.op!r} without `{key}`")
        if self.side and self.op != "block":
            raise ValueError(f"op = {self.op!r} with side = true; what follows can leave out the result of a block only")
        for size in self.sizes:
            if isinstance(size, str):
                parsed(size)

    @property
    def blocks(self) -> dict[str, str]:
        """The blocks that the row names, by key."""
        return {key: name for key, name in (("block", self.block), ("first", self.first)) if name is not None}

    @property
    def sizes(self) -> tuple[Size | None, ...]:
        """Everything in the row that may be an expression."""
        window = (self.kernel, self.stride, self.padding, self.ceil)
        return (*window, self.out, self.bias, self.factor, self.repeat, self.when, *self.given.values())


@dataclass(frozen=True)
class Branch:
    """One path through a block; no layers means its input itself.

    start  the earlier branch whose result it starts from; the block's input where empty
    side   its result is for other branches, not for the join
    """

    name: str
    layers: tuple[Layer, ...]
    start: str = ""
    side: bool = False


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
        check_citation(self.at)
        check_kind(self.kind, self.read)
        joined = [branch for branch in self.branches if not branch.side]
        if (self.join is None) != (len(joined) == 1):
            raise ValueError(f"{len(joined)} branches with join = {self.join!r}; several branches need one")


@dataclass(frozen=True)
class Stage:
    """A row's output size as the paper prints it, and what it prints of the cost.

    place   the row: "conv2_x", "inception_3a"
    output  (height, width), or (channels, height, width) where the table gives channels too
    weights, macs                       exact counts, biases not included
    printed_parameters, printed_macs    as the paper has them
    """

    place: str
    output: tuple[int, ...]
    weights: int | None = None
    macs: int | None = None
    printed_parameters: float | None = None
    printed_macs: float | None = None
    note: str = ""


@dataclass(frozen=True)
class ArchitectureTable:
    """An architecture table that several networks share, each with its own words.

    checks  what must hold of the words, e.g. "(depth - 2) % 6 == 0"
    """

    id: str
    at: str
    kind: Kind
    read: Read
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...] = ()
    checks: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        check_citation(self.at)
        check_kind(self.kind, self.read)
        for check in self.checks:
            parsed(check)


@dataclass(frozen=True)
class Architecture:
    """A network for an input of `input` = (channels, height, width): its own layers, or a table and the words for it.

    given   words that are options of the model, with the network's own values
    fixed   words of the table that are no options
    checks  as of a table; of a network that has none
    """

    id: str
    title: str
    at: str
    kind: Kind
    read: Read
    input: tuple[int, int, int]
    layers: tuple[Layer, ...] = ()
    table: str = ""
    given: Mapping[str, Value] = field(default_factory=dict)
    fixed: Mapping[str, Value] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        check_citation(self.at)
        check_kind(self.kind, self.read)
        if bool(self.layers) == bool(self.table):
            raise ValueError("a network has `layers` of its own or a `table`, and one of them")
        if self.table and self.checks:
            raise ValueError("`checks` beside a `table`; they belong to the table")
        if both := sorted({*self.given} & {*self.fixed}):
            raise ValueError(f"`{both[0]}` is both given and fixed; what is fixed is no option")
        for check in self.checks:
            parsed(check)

    @property
    def words(self) -> dict[str, Value]:
        """All words that its table sees."""
        return {**self.fixed, **self.given}
