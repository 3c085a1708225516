"""Of a file's top level what a name needs. Read, not run: the rule is that by which a compiler finds what is live. No torch.

A statement is needed where it binds or changes a name that a needed statement, or a function or class that it makes, reads.

bound    by an assignment, a definition, an import, at the top level or in an `if`, `try`, `with` or loop there
changed  by `cfg["depth"] = 20`, `net.fc = …`, `layers.append(…)`, `parser.add_argument(…)`, `setattr(Net, …)`, by a function of the
         file that does so with what it is given, `widen(net)`, through a name of its parts, `for m in net.modules(): m.stride = 1`,
         and by a definition under `@MODELS.register`, `@add_to(Net)` or a function that reads it; a setting of an imported module
         changes nothing here, but for the path of imports
read     at once, when what stood there last is meant, or later by a function, which may mean all of them
Training that goes on with what is there already, `net = train(net, loader)`, neither binds nor changes.
"""

import ast
import builtins
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from etude.source import Script
from etude.targets.statement import DEFINITIONS, FUNCTIONS, IMPORT_PATH, Statement, changing_functions, statements, touched

LOOK_UP = {"globals", "eval", "exec"}  # whoever calls these may mean any name


@dataclass(frozen=True)
class Part:
    """Of a file, what a name needs.

    everything, needed  statements of its top level, in order
    changes             the names whose values each of them changes
    """

    script: Script
    name: str
    everything: Sequence[Statement]
    needed: Sequence[Statement]
    changes: Mapping[Statement, frozenset[str]]

    @classmethod
    def of(cls, script: Script, name: str, *others: str, run_all: bool = False) -> "Part":
        """What a name needs, and those of the others that the file binds; everything on request.

        Raises  SyntaxError, ValueError for what Python cannot read.
        """
        everything = statements(script)
        bound, changes = {name for one in everything for name in one.binds}, changes_of(everything)
        wanted = {name, *bound.intersection(others)}
        return cls(script, name, everything, everything if run_all else needed(everything, changes, wanted), changes)

    @property
    def source(self) -> str:
        """What is needed, without the comments."""
        first_lines = {one.node.lineno for one in self.needed}
        return "\n".join(ast.unparse(node) for node in self.script.tree.body if node.lineno in first_lines)

    @property
    def defined(self) -> list[str]:
        """The classes and functions of the file."""
        return [one.node.name for one in self.everything if isinstance(one.node, DEFINITIONS)]

    def left_out(self) -> str:
        """`lines 12–31 and 60–98 are not needed for Net and were not run`; "" where nothing is left out that does anything."""
        kept = set(self.needed)
        runs = itertools.groupby(self.everything, lambda one: (one in kept, self.cell(one)))
        trimmed = [(cell, without_idle_ends(list(run))) for (needed, cell), run in runs if not needed]
        kept_cells = {self.cell(one) for one in kept}
        cells, lines = list[tuple[int, int]](), dict[int | None, list[tuple[int, int]]]()
        for cell, run in trimmed:
            if run and cell is not None and cell not in kept_cells:
                cells = [*cells[:-1], (cells[-1][0], cell)] if cells and cells[-1][1] == cell - 1 else [*cells, (cell, cell)]
            elif run:
                first, last = (self.script.cell(line)[1] for line in (run[0].lines[0], run[-1].lines[1]))
                lines.setdefault(cell, []).append((first, last))
        told = [spans("cell", cells)] if cells else []
        told += [spans("line", there) + (f" of cell {cell}" if cell else "") for cell, there in lines.items()]
        one = len(told) == 1 and not told[0].startswith(("cells", "lines"))
        return f"{listed(told)} {'is' if one else 'are'} not needed for {self.name} and {'was' if one else 'were'} not run" if told else ""

    def cell(self, one: Statement) -> int | None:
        return self.script.cell(one.node.lineno)[0]


def spans(what: str, found: Sequence[tuple[int, int]]) -> str:
    """`line 3`, `lines 3, 12–31 and 60–98`."""
    several = len(found) > 1 or found[0][0] != found[0][1]
    return f"{what}{'s' * several} {listed([str(first) if first == last else f'{first}–{last}' for first, last in found])}"


def listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + [words[-1]])


def without_idle_ends(run: Sequence[Statement]) -> Sequence[Statement]:
    """From the first statement that does something to the last."""
    busy = [at for at, one in enumerate(run) if not one.is_idle]
    return run[busy[0] : busy[-1] + 1] if busy else ()


def needed(everything: Sequence[Statement], changes: Mapping[Statement, frozenset[str]], wanted: Collection[str]) -> list[Statement]:
    """What has to run for the names that are wanted, in order; everything where names are looked up while it runs."""
    modules = {name for one in everything if isinstance(one.node, ast.Import) for name in one.binds}
    functions = {name: one.reads_later for one in everything if isinstance(one.node, FUNCTIONS) for name in one.binds}
    trains = training(everything)
    elsewhere = {name for one in everything if one not in trains for name in one.binds}
    known = {IMPORT_PATH, *dir(builtins), *elsewhere}
    look_up = LOOK_UP - elsewhere
    later = frozenset[str]()
    while True:
        kept, live = list[Statement](), {*wanted, *later}
        for one in reversed(everything):
            changed = changes[one].union(*(functions.get(name, ()) for name in one.decorators)) - modules
            given = one.binds - elsewhere if one in trains else one.binds | changed
            if one.binds_anything:
                given = frozenset(name for name in live - known if not name.startswith("__"))
            if given & live:
                kept.append(one)
                live = (live - (one.replaces - later)) | one.reads
        if any(look_up & (one.reads | one.reads_later) for one in kept or everything):
            return list(everything)
        if (found := later.union(*(one.reads_later for one in kept))) == later:
            return kept[::-1]
        later = found


def changes_of(everything: Sequence[Statement]) -> dict[Statement, frozenset[str]]:
    """The names whose values each statement changes, also through names of their parts, and by functions of the file."""
    changing, parts, found = changing_functions(everything), dict[str, frozenset[str]](), dict[Statement, frozenset[str]]()
    for one in everything:
        found[one] = touched([one.node], changing, parts)
        parts |= one.parts
    return found


def training(everything: Sequence[Statement]) -> set[Statement]:
    """The statements, definitions aside, that call `backward` or a function of the file that does."""
    functions = [one for one in everything if isinstance(one.node, FUNCTIONS)]
    found = {one for one in everything if one.calls_backward}
    reached = 0
    while reached < len(found):
        reached = len(found)
        calls = {name for one in functions if one in found for name in one.binds}
        found |= {one for one in everything if calls and calls & (one.reads | one.reads_later)}
    return {one for one in found if not isinstance(one.node, DEFINITIONS)}
