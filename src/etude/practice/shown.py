"""What the source shows of a cause, where what was found by numbers does not name it: each is true of the expression that it names."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from etude.explain.findings import Finding
from etude.explain.slips import tree_of


def shown(found: Sequence[Finding], file: Path) -> list[Finding]:
    """Where gradients are cut, and where the result of a layer is dropped."""
    values = {finding.key: finding.values for finding in found}
    tree = tree_of(file)
    cut = next(cuts(tree), None) if values.keys() & {"gradients", "no_gradient"} else None
    dropped = drops(tree, values["unused"]["names"].split(", ")) if "unused" in values else None
    return [one for one in (cut, dropped) if one]


def cuts(tree: ast.Module) -> Iterator[Finding]:
    """Where numbers that carry no gradient are taken out of a tensor."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    for node in (node for function in functions for node in ast.walk(function)):
        match node:
            case (
                ast.Call(func=ast.Attribute(attr="detach" | "numpy" | "item" | "tolist"))
                | ast.Attribute(attr="data", value=ast.Name() | ast.Attribute())
                | ast.Call(func=ast.Attribute(value=ast.Name("torch"), attr="no_grad" | "from_numpy"))
            ):
                yield Finding("cut", {"text": ast.unparse(node)}, node.lineno)


def drops(tree: ast.Module, names: Iterable[str]) -> Finding | None:
    """`self.block(x)` as a statement by itself, of a layer with one of these parameters."""
    layers = {name.split(".")[0] for name in names}
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name("self"), attr=layer))) if layer in layers:
                return Finding("call_dropped", {"text": ast.unparse(node)}, node.lineno)
    return None
