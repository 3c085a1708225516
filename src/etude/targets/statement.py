"""A statement of a file's top level: what it binds, changes and reads. No torch."""

import __future__

import ast
import dis
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType

from etude.source import Script

CHANGING = ("add", "append", "apply", "clear", "extend", "insert", "merge", "pop", "register", "remove", "reverse", "set", "sort", "update")
IN_PLACE = ("setattr", "weight_norm", "spectral_norm", "orthogonal", "register_parametrization")  # functions, of what they are given
PARTS = ("modules", "named_modules", "children", "named_children", "get_submodule", "values", "items")  # methods that give parts
SEQUENCES = ("enumerate", "iter", "list", "reversed", "tuple", "zip")
MOVES = ("to", "cuda", "cpu")
AT_ONCE = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
IMPORT_PATH = "sys.path"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.ClassDef, *FUNCTIONS)
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
    def parts(self) -> Mapping[str, frozenset[str]]:
        """Names that stand for parts of what has other names from here on; none for a name that stands for something else."""
        return {**dict.fromkeys(self.binds, frozenset[str]()), **gathered(drawn(self.node))}

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


def statements(script: Script) -> list[Statement]:
    """The top level of a file. Raises SyntaxError, ValueError for what Python cannot read."""
    tree = script.tree
    futures = [name.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__" for name in node.names]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for name in futures:
        if name not in __future__.all_feature_names:
            raise SyntaxError(f"future feature {name} is not defined")
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
    """The names whose values are changed: by what is set in them, by their methods, by functions, and by definitions that they decorate."""
    match node:
        case ast.Attribute(value=value, ctx=ast.Store() | ast.Del()) | ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            yield from wholes(node) if is_import_path(node) else wholes(value)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[value, *_]) if name in IN_PLACE:
            yield from wholes(value)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method.startswith(CHANGING):
            yield from wholes(value)
    for decorator in getattr(node, "decorator_list", ()):
        called, given = (decorator.func, decorator.args) if isinstance(decorator, ast.Call) else (decorator, [])
        for value in [called] * isinstance(called, ast.Attribute) + given:
            yield from wholes(value)
    for part in at_once(node):
        yield from changed(part)


def at_once(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that run when it does."""
    if not isinstance(node, (*DEFINITIONS, ast.Lambda)) and not guards_main(node):
        yield from ast.iter_child_nodes(node)


def drawn(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names for parts of what has another name: `block = net.body[0]`, `for m in net.modules()`; a parameter of it is no part."""
    match node:
        case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from bound(target, value)
        case ast.NamedExpr(target=target, value=value):
            yield from bound(target, value)
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield from bound(target, value)
    for part in at_once(node):
        yield from drawn(part)


def bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    """Every name that is bound, with every name of what it may be a part of."""
    stored = [one.id for one in ast.walk(target) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
    yield from ((name, whole) for name in stored for whole in wholes(value))


def gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The second of all pairs, by the first."""
    found: dict[str, frozenset[str]] = {}
    for first, second in pairs:
        found[first] = found.get(first, frozenset()) | {second}
    return found


def wholes(value: ast.expr) -> Iterator[str]:
    """The names of what a value is, or is a part of; the path of imports is a name of its own."""
    match value:
        case ast.Attribute() if is_import_path(value):
            yield IMPORT_PATH
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=whole) | ast.Subscript(value=whole) | ast.Starred(value=whole):
            yield from wholes(whole)
        case ast.Call(func=ast.Attribute(value=whole, attr=method)) if method in PARTS:
            yield from wholes(whole)
        case ast.Call(func=ast.Name(id=name), args=several) if name in SEQUENCES:
            yield from (name for one in several for name in wholes(one))
        case ast.List(elts=several) | ast.Tuple(elts=several):
            yield from (name for one in several for name in wholes(one))


def is_import_path(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == IMPORT_PATH


def handed(node: ast.AST) -> Iterator[tuple[str, int | str, str]]:
    """A function by its name, what it is given at a place or by a keyword."""
    match node:
        case ast.Call(func=ast.Name(id=function), args=args, keywords=keywords):
            places: list[tuple[int | str, ast.expr]] = [*enumerate(args), *((one.arg, one.value) for one in keywords if one.arg)]
            yield from ((function, place, whole) for place, value in places for whole in wholes(value))
    for part in at_once(node):
        yield from handed(part)


Changing = Mapping[str, frozenset[int | str]]  # of functions by their names, which of their parameters they change


def touched(nodes: Sequence[ast.AST], changing: Changing, parts: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The names whose values are changed by some code: also by functions of the file, and through names of their parts.

    parts  names for parts of what has other names, known before
    """
    found = {name for node in nodes for name in changed(node)}
    found |= {name for node in nodes for function, place, name in handed(node) if place in changing.get(function, ())}
    known = {**parts, **gathered(pair for node in nodes for pair in drawn(node))}
    reached = 0
    while reached < len(found):
        reached = len(found)
        found = found.union(*(known.get(name, ()) for name in found))
    return frozenset(found)


def names_called(function: ast.AST) -> set[str]:
    """The names that a function calls: one that evaluates a network calls it, and may keep a result in it; one that builds does not."""
    return {one.func.id for one in ast.walk(function) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}


def changing_functions(everything: Sequence[Statement]) -> Changing:
    """The functions of a file that change what they are given, at which places and by which keywords."""
    functions = [one.node for one in everything if isinstance(one.node, FUNCTIONS)]
    found: dict[str, frozenset[int | str]] = {}
    while True:
        before = dict(found)
        for function in functions:
            given = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
            changes = touched(function.body, found, {}) - names_called(function)
            at_places = {place for place, name in enumerate(given) if name in changes}
            by_name = {one.arg for one in (*function.args.args, *function.args.kwonlyargs) if one.arg in changes}
            found[function.name] = frozenset(at_places | by_name)
        if found == before:
            return found


def is_plain(value: ast.expr | None) -> bool:
    """Whether a value is written out, as in `(0.1307, 64)`."""
    kinds = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)
    return value is not None and all(isinstance(part, kinds) for part in ast.walk(value))


def guards_main(node: ast.AST) -> bool:
    """Whether it is `if __name__ == "__main__":`, which holds for no file that is opened here."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and not node.orelse
