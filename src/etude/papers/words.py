"""The small arithmetic of architecture tables: "(depth - 2) // 6", "4 * growth_rate", "shortcut in ('A', 'B')"."""

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

from etude.source import expression_of

Value = int | float | str | bool | tuple[int, ...] | None

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, several: one in several,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}


@functools.cache
def parsed(text: str) -> ast.expr:
    """The expression in `text`. Raises ValueError where it is none."""
    try:
        return expression_of(text)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression") from error


def value_of(size: Any, words: Mapping[str, Value]) -> Any:
    """A number as it is, a text as an expression over `words`. Raises ValueError for a word that is not there."""
    return _value(parsed(size), words) if isinstance(size, str) else size


def words_in(size: Any) -> set[str]:
    """The words that an expression uses."""
    return {node.id for node in ast.walk(parsed(size)) if isinstance(node, ast.Name)} if isinstance(size, str) else set()


def _value(node: ast.expr, words: Mapping[str, Value]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in words:
            return words[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, words), _value(right, words))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(operand, words))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, words), _value(right, words))
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(_value(value, words) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, words) else orelse, words)
        case ast.Tuple(elts=values):
            return tuple(_value(value, words) for value in values)
        case ast.Subscript(value=value, slice=index):
            return _value(value, words)[_value(index, words)]
    raise ValueError(f"{ast.unparse(node)!r} means nothing here; the words are {', '.join(sorted(words))}")
