"""Loops that cannot end, read off the source. No torch."""

import ast

from etude.explain.findings import Finding

FIXED = (
    ast.Name,
    ast.Constant,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.expr_context,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
)
LEAVES = (ast.Break, ast.Return, ast.Raise)


def never_ends(source: str, line: int | None) -> Finding | None:
    """The `while` around a line whose condition consists of names and numbers, where its body leaves neither these names nor the loop."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While) and line and node.lineno <= line <= (node.end_lineno or 0)]
    for loop in loops:
        condition = list(ast.walk(loop.test))
        names = dict.fromkeys(node.id for node in condition if isinstance(node, ast.Name))
        body = [node for statement in loop.body for node in ast.walk(statement)]
        stored = {node.id for node in body if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        if (
            all(isinstance(node, FIXED) for node in condition)
            and names
            and not stored & names.keys()
            and not any(isinstance(node, LEAVES) for node in body)
        ):
            return Finding(
                "never_ends", {"condition": ast.unparse(loop.test), "names": ", ".join(f"`{name}`" for name in names)}, loop.lineno
            )
    return None
