"""Of a file's top level what a name needs. Read, not run: the rule is that by which a compiler finds what is live. No torch.

A statement is needed where it binds or changes a name that a needed statement, or a function or class that it makes, reads.

bound    by an assignment, a definition, an import, at the top level or in an `if`, `try`, `with` or loop there
changed  by `cfg["depth"] = 20`, `net.fc = …`, `layers.append(…)`, `parser.add_argument(…)`, `setattr(Net, …)`, and by a definition
         under `@MODELS.register`, `@add_to(Net)` or a function that reads it; a setting of an imported module changes nothing here,
         but for the path of imports
read     at once, when what stood there last is meant, or later by a function, which may mean all of them
Training that goes on with what is there already, `net = train(net, loader)`, neither binds nor changes.
"""

import __future__

import ast
import builtins
import dis
import inspect
import itertools
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType

from etude.source import Script

CHANGING = ("add", "append", "apply", "clear", "extend", "insert", "merge", "pop", "register", "remove", "reverse", "set", "sort", "update")
MOVES = ("to", "cuda", "cpu")
AT_ONCE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
LOOK_UP = frozenset({"globals", "eval", "exec"})  # whoever calls these may mean any name
IMPORT_PATH = "sys.path"
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
CERTAIN = (*DEFINITIONS, *IMPORTS, ast.Assign, ast.AnnAssign)


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement of a file's top level, compiled with its place in the file; of an import that lists names, one of them."""

    node: ast.stmt
    code: CodeType

    @property
    def lines(self) -> tuple[int, int]:
        """The first, decorators included, and the last."""
        first = min([self.node.lineno, *(one.lineno for one in getattr(self.node, "decorator_list", ()))])
        return first, self.node.end_lineno or first

    @property
    def is_idle(self) -> bool:
        """Whether it makes no difference that it does not run: an import, a definition, a docstring, a name for a plain value."""
        value = getattr(self.node, "value", None) if isinstance(self.node, (ast.Expr, ast.Assign)) else None
        return is_plain(value) or guards_main(self.node) or isinstance(self.node, (*IMPORTS, *DEFINITIONS, ast.Pass))

    @property
    def is_compound(self) -> bool:
        """Whether it may do without some of what it reads."""
        return hasattr(self.node, "body") and not isinstance(self.node, DEFINITIONS)

    @cached_property
    def binds(self) -> frozenset[str]:
        return frozenset() if guards_main(self.node) else names(self.code, "STORE")

    @property
    def binds_anything(self) -> bool:
        return isinstance(self.node, ast.ImportFrom) and self.node.names[0].name == "*"

    @property
    def replaces(self) -> frozenset[str]:
        """The names of which nothing remains that was there before; `import a.b` leaves what `import a.c` has brought."""
        dotted = isinstance(self.node, ast.Import) and not self.node.names[0].asname and "." in self.node.names[0].name
        return self.binds if isinstance(self.node, CERTAIN) and not dotted else frozenset()

    @cached_property
    def changes(self) -> frozenset[str]:
        return frozenset(changed(self.node))

    @property
    def decorators(self) -> list[str]:
        """The names of those that are names."""
        called = [one.func if isinstance(one, ast.Call) else one for one in getattr(self.node, "decorator_list", ())]
        return [one.id for one in called if isinstance(one, ast.Name)]

    @cached_property
    def reads(self) -> frozenset[str]:
        """At once."""
        path = {IMPORT_PATH} if isinstance(self.node, IMPORTS) else set()
        return frozenset(path).union(*(names(code, "LOAD") for code, later in scopes(self.code) if not later))

    @cached_property
    def reads_later(self) -> frozenset[str]:
        return frozenset[str]().union(*(names(code, "LOAD") for code, later in scopes(self.code) if later))

    @property
    def calls_backward(self) -> bool:
        return any("backward" in code.co_names for code, _ in scopes(self.code))


@dataclass(frozen=True)
class Part:
    """Of a file, what a name needs.

    everything, needed  statements of its top level, in order
    """

    script: Script
    name: str
    everything: Sequence[Statement]
    needed: Sequence[Statement]

    @classmethod
    def of(cls, script: Script, name: str, *others: str, run_all: bool = False) -> "Part":
        """What a name needs, and those of the others that the file binds; everything on request.

        Raises  SyntaxError, ValueError for what Python cannot read.
        """
        everything = statements(script)
        bound = {name for one in everything for name in one.binds}
        return cls(script, name, everything, everything if run_all else needed(everything, {name, *bound.intersection(others)}))

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


def statements(script: Script) -> list[Statement]:
    """The top level of a file. Raises SyntaxError, ValueError for what Python cannot read."""
    tree = script.tree
    futures = [name.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__" for name in node.names]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for name in futures:
        flags |= getattr(__future__, name).compiler_flag
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            Statement(node, compile(ast.Module([node], []), str(script.file), "exec", flags, dont_inherit=True))
            for node in (part for whole in tree.body for part in parts(whole))
        ]


def parts(node: ast.stmt) -> Iterator[ast.stmt]:
    """An import of several names as several imports; `net = Net().to(device)` without the move, for which there may be no device."""
    match node:
        case ast.Assign() | ast.AnnAssign(value=ast.expr()):
            while isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute) and node.value.func.attr in MOVES:
                node.value = node.value.func.value
            yield node
        case ast.Import(names=[_, _, *_]):
            yield from (ast.copy_location(ast.Import([name]), node) for name in node.names)
        case ast.ImportFrom(names=[_, _, *_]):
            yield from (ast.copy_location(ast.ImportFrom(node.module, [name], node.level), node) for name in node.names)
        case _:
            yield node


def needed(everything: Sequence[Statement], wanted: Collection[str]) -> list[Statement]:
    """What has to run for the names that are wanted, in order; everything where names are looked up while it runs."""
    modules = {name for one in everything if isinstance(one.node, ast.Import) for name in one.binds}
    functions = {name: one.reads_later for one in everything if isinstance(one.node, DEFINITIONS[1:]) for name in one.binds}
    trains = training(everything)
    elsewhere = {name for one in everything if one not in trains for name in one.binds}
    known = {IMPORT_PATH, *dir(builtins), *elsewhere}
    later = frozenset[str]()
    while True:
        kept, live = list[Statement](), {*wanted, *later}
        for one in reversed(everything):
            changes = one.changes.union(*(functions.get(name, ()) for name in one.decorators)) - modules
            given = one.binds - elsewhere if one in trains else one.binds | changes
            if one.binds_anything:
                given = frozenset(name for name in live - known if not name.startswith("__"))
            if given & live:
                kept.append(one)
                live = (live - (one.replaces - later)) | one.reads
        if any(LOOK_UP & (one.reads | one.reads_later) for one in kept or everything):
            return list(everything)
        if (found := later.union(*(one.reads_later for one in kept))) == later:
            return kept[::-1]
        later = found


def training(everything: Sequence[Statement]) -> set[Statement]:
    """The statements, definitions aside, that call `backward` or a function of the file that does."""
    functions = [one for one in everything if isinstance(one.node, DEFINITIONS[1:])]
    found = {one for one in everything if one.calls_backward}
    reached = 0
    while reached < len(found):
        reached = len(found)
        calls = {name for one in functions if one in found for name in one.binds}
        found |= {one for one in everything if calls and calls & (one.reads | one.reads_later)}
    return {one for one in found if not isinstance(one.node, DEFINITIONS)}


def scopes(code: CodeType, later: bool = False) -> Iterator[tuple[CodeType, bool]]:
    """A code and all within it; whether it runs later: the bodies of classes and comprehensions run at once, those of functions do not."""
    yield code, later
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from scopes(inner, later or bool(inner.co_flags & inspect.CO_OPTIMIZED and inner.co_name not in AT_ONCE))


def names(code: CodeType, what: str) -> frozenset[str]:
    """The names of the top level that a code loads or stores."""
    found = (one for one in dis.get_instructions(code) if one.opname.startswith(what) and ("NAME" in one.opname or "GLOBAL" in one.opname))
    return frozenset(str(one.argval) for one in found)


def changed(node: ast.AST) -> Iterator[str]:
    """The names whose values are changed: by what is set in them, by their methods, and by definitions that they decorate."""
    match node:
        case ast.Attribute(value=value, ctx=ast.Store() | ast.Del()) | ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            yield from root(node) if ast.unparse(node) == IMPORT_PATH else root(value)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method.startswith(CHANGING):
            yield from root(value)
        case ast.Call(func=ast.Name(id="setattr"), args=[value, *_]):
            yield from root(value)
    for decorator in getattr(node, "decorator_list", ()):
        called, given = (decorator.func, decorator.args) if isinstance(decorator, ast.Call) else (decorator, [])
        for value in [called] * isinstance(called, ast.Attribute) + given:
            yield from root(value)
    if not isinstance(node, (*DEFINITIONS, ast.Lambda)) and not guards_main(node):
        for part in ast.iter_child_nodes(node):
            yield from changed(part)


def root(node: ast.expr) -> Iterator[str]:
    """The name at which `a.b[0].c` begins; the path of imports is a name of its own."""
    if ast.unparse(node) == IMPORT_PATH:
        yield IMPORT_PATH
        return
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def is_plain(value: ast.expr | None) -> bool:
    """Whether a value is written out, as in `(0.1307, 64)`."""
    kinds = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)
    return value is not None and all(isinstance(part, kinds) for part in ast.walk(value))


def guards_main(node: ast.AST) -> bool:
    """Whether it is `if __name__ == "__main__":`, which holds for no file that is opened here."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and not node.orelse
