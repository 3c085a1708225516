"""What somebody's code raised, explained at their own line: what met what, with which shapes, and which slip does that."""

import ast
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor, nn

from etude.explain.findings import Finding
from etude.explain.slips import Scene, covering, slip, tree_of
from etude.explain.unreadable import unreadable
from etude.wording import size

# what torch and Python say, and the message in raised.toml that explains it
KNOWN = {
    "conv_channels": r"expected input\[.*\] to have (?P<want>\d+) channels, but got (?P<got>\d+) channels",
    "norm_channels": r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
    "linear_features": r"shapes cannot be multiplied \(\d+x(?P<got>\d+) and (?P<want>\d+)x\d+\)",
    "cat_sizes": r"except in dimension (?P<dim>\d+)\. Expected size (?P<a>\d+) but got size (?P<b>\d+) for tensor number (?P<at>\d+)",
    "sizes_meet": r"size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton dimension (?P<dim>\d+)",
    "view_size": r"shape '\[(?P<shape>[-\d, ]+)\]' is invalid for input of size (?P<got>\d+)",
    "inplace": r"modified by an inplace operation|in-place operation",
    "no_super": r"before Module.__init__\(\) call|has no attribute '_(?:(?:forward|backward)\w*hooks|modules|parameters|buffers)\w*'",
    "no_forward": r"missing the required \"forward\" function",
    "nothing_passed": r"must be Tensor, not NoneType|got \(NoneType,|operand type.*NoneType|'NoneType' object has no attribute",
    "number_attribute": r"'(?P<type>float|int)' object has no attribute '(?P<name>\w+)'",
    "no_attribute": r"object has no attribute '(?P<name>\w+)'",
    "no_name": r"name '(?P<name>\w+)' is not defined|local variable '(?P<local>\w+)'",
    "missing_argument": r"(?P<call>\w+)(?:\.(?:__init__|forward))?\(\) missing \d+ required .*arguments?: (?P<names>.*)",
    "out_of_memory": r"can't allocate memory|not enough memory|bad_alloc|^MemoryError",
    "no_gpu": r"CUDA|cuda|NVIDIA",
    "no_gradient": r"does not require grad",
}


def explained(error: BaseException, file: Path) -> Finding:
    """What the exception says, with its line in the learner's file and the shapes of what stands there."""
    frame, line = learners_frame(error, file)
    text = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == file.name:
        return unreadable(error)
    if isinstance(error, UnicodeDecodeError) or (isinstance(error, SyntaxError) and "encoding declaration" in (error.msg or "")):
        return Finding("not_utf8")
    if isinstance(error, NotImplementedError) and frame and raised_in(error) is frame:
        return Finding("todo", line=line)
    if isinstance(error, SystemExit):
        return Finding("exits", line=line)
    if found := slip(Scene.of(error, file, frame, line)):
        return found
    for key, pattern in KNOWN.items():
        if said := re.search(pattern, str(error) or type(error).__name__):
            values: dict[str, Any] = {name: value for name, value in said.groupdict().items() if value is not None}
            if key in ("linear_features", "view_size") and (wrong := flattened_wrongly(error, file, line, values)):
                return wrong
            key, values = completed(key, values, error, frame, line, file)
            break
    else:
        key, values = "raised", {"type": type(error).__name__, "text": text}
    shapes = ", ".join(f"{name} {shape}" for name, shape in shapes_at(frame, statement(file, line))) if frame else ""
    return Finding(key, values, line, shapes)


def completed(
    key: str, values: dict[str, Any], error: BaseException, frame: FrameType | None, line: int | None, file: Path
) -> tuple[str, dict[str, Any]]:
    """The message and its values, those included that do not stand in the exception."""
    owner = getattr(error, "obj", None)
    match key:
        case "no_attribute" if isinstance(owner, nn.Module):
            known = [name for name, _ in owner.named_children()] if "_modules" in vars(owner) else []
            return (key, values | {"found": ", ".join(known)}) if known else ("nothing_set", values)
        case "no_attribute":
            nodes = ast.walk(statement(file, line) or ast.Pass())
            texts = (ast.unparse(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr == values["name"])
            return "has_no", values | {"owner": next(texts, "…"), "type": type(owner).__name__}
        case "no_name":
            return key, {"name": values.get("name", values.get("local"))}
        case "cat_sizes":
            at = int(values.pop("at"))
            name = branch_of(frame, statement(file, line), at) if frame else None
            return key, values | {"branch": Finding("branch", {"name": name}) if name else Finding("branch_number", {"number": at + 1})}
        case "missing_argument":
            return key, values | {"names": ", ".join(f"`{name}`" for name in re.findall(r"'(\w+)'", values["names"]))}
    return key, values


def flattened_wrongly(error: BaseException, file: Path, line: int | None, values: Mapping[str, Any]) -> Finding | None:
    """Where features do not fit a linear layer: a flattened result that nobody keeps, a size of the batch that is written out, or maps."""
    locals_ = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    given = next((known["input"] for known in locals_ if isinstance(known.get("self"), nn.Linear) and "input" in known), None)
    maps = size(given.shape[1:]) if given is not None and given.dim() == 4 else ""
    function = statement(file, line, ast.FunctionDef)
    for node in ast.walk(function) if function else ():
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="view" | "reshape" | "flatten"))) if maps:
                return Finding("result_dropped", {"text": ast.unparse(node), **values}, node.lineno)
            case ast.Call(func=ast.Attribute(value=ast.Name(), attr="view" | "reshape"), args=[ast.Constant(value=int(images)), *_]):
                return Finding("fixed_batch", {"text": ast.unparse(node), "images": images}, node.lineno)
    return Finding("not_flattened", {"maps": maps, **values}, line) if maps else None


def learners_frame(error: BaseException, file: Path) -> tuple[FrameType | None, int | None]:
    """The innermost frame in the learner's file, and its line."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(file)]
    return frames[-1] if frames else (None, None)


def raised_in(error: BaseException) -> FrameType:
    """The frame that raised."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]


def statement(file: Path, line: int | None, kind: type[ast.stmt] = ast.stmt) -> ast.stmt | None:
    """The smallest statement of that kind in the file, as it stands now, that covers a line."""
    return covering(tree_of(file), line, kind)


def shapes_at(frame: FrameType, node: ast.AST | None) -> Iterator[tuple[str, str]]:
    """The tensors that are named in a statement, with their shapes; of a list of tensors, each."""
    names = dict.fromkeys(part.id for part in ast.walk(node) if isinstance(part, ast.Name)) if node else {}
    for name in names:
        value = frame.f_locals.get(name)
        if isinstance(value, Tensor) and value.dim():
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
