"""What a learner's code raised, explained at their own line: what met what, with which shapes."""

import ast
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor, nn

from etude.practice.answers import size
from etude.practice.findings import Finding
from etude.source import Script

# what torch and Python say, and the message that explains it
KNOWN = {
    "conv_channels": r"expected input\[.*\] to have (?P<want>\d+) channels, but got (?P<got>\d+) channels",
    "norm_channels": r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
    "linear_features": r"shapes cannot be multiplied \(\d+x(?P<got>\d+) and (?P<want>\d+)x\d+\)",
    "cat_sizes": r"except in dimension (?P<dim>\d+)\. Expected size (?P<a>\d+) but got size (?P<b>\d+) for tensor number (?P<at>\d+)",
    "sizes_meet": r"size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton dimension (?P<dim>\d+)",
    "inplace": r"modified by an inplace operation|in-place operation",
    "no_forward": r"missing the required \"forward\" function",
    "no_attribute": r"object has no attribute '(?P<name>\w+)'",
    "no_name": r"name '(?P<name>\w+)' is not defined|local variable '(?P<local>\w+)'",
    "missing_argument": r"(?P<text>\w+\(\) missing \d+ required positional arguments?: .*)",
    "not_called": r"must be Tensor, not \w+|unsupported operand type.*(Conv2d|Linear|ReLU|MaxPool2d|BatchNorm2d|Sequential)",
    "no_super": r"before Module.__init__\(\) call",
    "no_gpu": r"CUDA|cuda|NVIDIA",
    "no_gradient": r"does not require grad",
}


def explained(error: BaseException, file: Path) -> Finding:
    """What the exception says, with its line in the learner's file and the shapes of what stands there."""
    frame, line = learners_frame(error, file)
    text = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == file.name:
        return Finding("syntax", {"text": error.msg}, error.lineno)
    if isinstance(error, NotImplementedError) and frame and "forward" not in text:
        return Finding("todo", line=line)
    if isinstance(error, SystemExit):
        return Finding("exits", line=line)
    for key, pattern in KNOWN.items():
        if found := re.search(pattern, str(error)):
            values: dict[str, Any] = {name: value for name, value in found.groupdict().items() if value is not None}
            values = completed(key, values, frame, line, file)
            break
    else:
        key, values = "raised", {"type": type(error).__name__, "text": text}
    shapes = ", ".join(f"{name} {shape}" for name, shape in shapes_at(frame, statement(file, line))) if frame else ""
    return Finding(key, values, line, shapes)


def completed(key: str, values: dict[str, Any], frame: FrameType | None, line: int | None, file: Path) -> dict[str, Any]:
    """The values that a message takes beside those that stand in the exception."""
    match key:
        case "no_attribute":
            owner = frame.f_locals.get("self") if frame else None
            known = [name for name, _ in owner.named_children()] if isinstance(owner, nn.Module) and "_modules" in vars(owner) else []
            return values | {"found": ", ".join(known) or "–"}
        case "no_name":
            return {"name": values.get("name", values.get("local"))}
        case "cat_sizes":
            branch = branch_of(frame, statement(file, line), int(values.pop("at"))) if frame else None
            return values | {"branch": Finding("branch", {"name": branch}) if branch else ""}
    return values


def learners_frame(error: BaseException, file: Path) -> tuple[FrameType | None, int | None]:
    """The innermost frame in the learner's file, and its line."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(file)]
    return frames[-1] if frames else (None, None)


def statement(file: Path, line: int | None) -> ast.AST | None:
    """The smallest statement of the file that covers a line."""
    covering = [
        node
        for node in ast.walk(Script.read(file).tree)
        if isinstance(node, ast.stmt) and line is not None and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return min(covering, key=lambda node: (node.end_lineno or node.lineno) - node.lineno, default=None)


def shapes_at(frame: FrameType, node: ast.AST | None) -> Iterator[tuple[str, str]]:
    """The tensors that are named in a statement, with their shapes; of a list of tensors, each."""
    names = dict.fromkeys(part.id for part in ast.walk(node) if isinstance(part, ast.Name)) if node else {}
    for name in names:
        value = frame.f_locals.get(name)
        if isinstance(value, Tensor):
            yield name, size(value.shape)
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Tensor) for item in value):
            for number, item in enumerate(value):
                yield name_of(frame, item) or f"{name}[{number}]", size(item.shape)


def branch_of(frame: FrameType, node: ast.AST | None, at: int) -> str | None:
    """The name of the tensor at a place of the list that is concatenated."""
    for call in ast.walk(node) if node else ():
        if isinstance(call, ast.Call) and call.args:
            given = call.args[0]
            if isinstance(given, (ast.List, ast.Tuple)) and len(given.elts) > at:
                return ast.unparse(given.elts[at])
            listed = frame.f_locals.get(given.id) if isinstance(given, ast.Name) else None
            if isinstance(listed, (list, tuple)) and len(listed) > at:
                return name_of(frame, listed[at]) or f"{ast.unparse(given)}[{at}]"
    return None


def name_of(frame: FrameType, tensor: Tensor) -> str | None:
    """The variable that holds a tensor."""
    return next((name for name, value in frame.f_locals.items() if value is tensor), None)
