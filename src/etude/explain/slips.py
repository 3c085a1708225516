"""Slips of a first week of Python and torch that are certain from what was raised and what stands in the source."""

import ast
import builtins
import difflib
import inspect
import linecache
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from torch import Tensor, nn

from etude.explain.findings import Finding

IMPORTS = {
    "torch": "import torch",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "np": "import numpy as np",
    "math": "import math",
}
NO_TENSORS = (int, float, str, list, tuple, dict)
ALIKE = 0.7  # the share of letters from which a name is taken for another, misspelt

Statement = TypeVar("Statement", bound=ast.stmt)


@dataclass(frozen=True)
class Scene:
    """What was raised, and where in somebody's file.

    tree   the file as it stands now; empty where somebody has gone on writing
    line   of the file, where one can be named
    names  what is known there
    """

    error: BaseException
    tree: ast.Module
    line: int | None
    names: Mapping[str, Any]

    @classmethod
    def of(cls, error: BaseException, file: Path, frame: FrameType | None, line: int | None) -> "Scene":
        """Where the innermost frame of a file stands."""
        return cls(error, tree_of(file), line, {**frame.f_globals, **frame.f_locals} if frame else {})

    @property
    def text(self) -> str:
        return str(self.error)

    @cached_property
    def statement(self) -> ast.stmt | None:
        return covering(self.tree, self.line, ast.stmt)

    @cached_property
    def function(self) -> ast.FunctionDef | None:
        return covering(self.tree, self.line, ast.FunctionDef)

    def nodes(self, root: ast.AST | None = None) -> Iterator[ast.AST]:
        """What stands in the statement, or in `root`."""
        root = root or self.statement
        yield from ast.walk(root) if root else ()

    def class_of(self, name: str) -> ast.ClassDef | None:
        return next((node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef) and node.name == name), None)

    def value(self, node: ast.expr) -> Any:
        """What a name, or an attribute of one, stands for; None for all else."""
        match node:
            case ast.Name():
                return self.names.get(node.id)
            case ast.Attribute():
                return getattr(self.value(node.value), node.attr, None)
        return None


def tree_of(file: Path) -> ast.Module:
    """A file as it stands now; empty where somebody has gone on writing."""
    linecache.checkcache(str(file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse("".join(linecache.getlines(str(file))))
        except (SyntaxError, ValueError):
            return ast.Module([], [])


def covering(tree: ast.Module, line: int | None, kind: type[Statement]) -> Statement | None:
    """The smallest statement of a kind that covers a line."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, kind) and line and node.lineno <= line <= (node.end_lineno or node.lineno)]
    return min(nodes, key=lambda node: (node.end_lineno or node.lineno) - node.lineno, default=None)


def slip(scene: Scene) -> Finding | None:
    """The first slip that explains what was raised."""
    return next((found for rule in RULES if (found := rule(scene))), None)


def alike(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: the same but for capitals, or spelt nearly so."""
    names = [one for one in known if one != name]
    same = [one for one in names if one.lower() == name.lower()]
    return next(iter(same or difflib.get_close_matches(name, names, n=1, cutoff=ALIKE)), None)


# ── Classes and their methods ────────────────────────────────────────────────────────────────────────────────────────


def methods(owner: ast.ClassDef) -> list[ast.FunctionDef]:
    return [node for node in owner.body if isinstance(node, ast.FunctionDef)]


def misspelt_method(owner: ast.ClassDef, want: str) -> Finding | None:
    """A method that is nearly called `want`, where none is called so."""
    named = {method.name.strip("_"): method for method in methods(owner)}
    if want.strip("_") in named and named[want.strip("_")].name == want:
        return None
    near = want.strip("_") if want.strip("_") in named else alike(want.strip("_"), named)
    return Finding("method_misspelt", {"name": named[near].name, "want": want}, named[near].lineno) if near else None


def arguments_of_method(scene: Scene) -> Finding | None:
    """`__int__` where Python looks for `__init__`, and a method without `self`."""
    found = re.search(
        r"(\w+)\.(\w+)\(\) takes (\d+) positional arguments? but (\d+) (?:was|were) given|(\w+)\(\) takes no arguments", scene.text
    )
    owner = scene.class_of(found.group(1) or found.group(5)) if found else None
    if not (found and owner):
        return None
    name, takes, given = found.group(2) or "__init__", int(found.group(3) or 0), int(found.group(4) or 1)
    method = next((one for one in methods(owner) if one.name == name), None)
    if method is None:
        return misspelt_method(owner, name)
    if given == takes + 1 and [one.arg for one in method.args.args[:1]] != ["self"] and not method.decorator_list:
        return Finding("no_self", {"name": name}, method.lineno)
    return None


def no_forward(scene: Scene) -> Finding | None:
    found = re.search(r"Module \[(\w+)\] is missing the required \"forward\"", scene.text)
    owner = scene.class_of(found.group(1)) if found else None
    return misspelt_method(owner, "forward") if owner else None


def super_misused(scene: Scene) -> Finding | None:
    if "descriptor '__init__' of 'super' object" in scene.text:
        return Finding("super_no_brackets", line=scene.line)
    return Finding("super_other_class", line=scene.line) if scene.text.startswith("super(type, obj)") else None


def module_as_base(scene: Scene) -> Finding | None:
    """class Net(nn)"""
    if "module() takes at most 2 arguments" in scene.text and isinstance(owner := scene.statement, ast.ClassDef):
        return Finding("module_as_base", {"name": owner.name}, scene.line)
    return None


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def attribute(scene: Scene) -> Finding | None:
    """`self.conv1` that was never set, or is called otherwise; `nn.conv2d`."""
    if not isinstance(scene.error, AttributeError) or not scene.error.name:
        return None
    owner, name = scene.error.obj, scene.error.name
    definition = scene.class_of(type(owner).__name__) if isinstance(owner, nn.Module) else None
    if definition and (found := never_set(definition, name) or misspelt_method(definition, "__init__")):
        return found
    if isinstance(owner, nn.Module) and (found := given_tensor(scene, scene.function, type(owner).__name__)):
        return found
    known = [one for one in dir(owner) if not one.startswith("_")]
    if isinstance(owner, nn.Module) and "_modules" in vars(owner):
        known = [*vars(owner)["_modules"], *vars(owner)["_parameters"], *(one for one in vars(owner) if not one.startswith("_"))]
    here = next((node for node in scene.nodes() if isinstance(node, ast.Attribute) and node.attr == name), None)
    near = alike(name, known)
    return Finding("misspelt", {"owner": ast.unparse(here.value), "name": name, "near": near}, scene.line) if near and here else None


def never_set(owner: ast.ClassDef, name: str) -> Finding | None:
    """`conv1 = …` without self, or `self.conv1 == …`, in a class."""
    for node in (node for method in methods(owner) if method.name == "__init__" for node in ast.walk(method)):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                return Finding("self_when_set", {"name": name}, node.lineno)
            case ast.Expr(value=ast.Compare(left=ast.Attribute(attr=target), ops=[ast.Eq()])) if target == name:
                return Finding("set_with_equals", {"name": f"self.{name}"}, node.lineno)
    return None


def name_unknown(scene: Scene) -> Finding | None:
    if not isinstance(scene.error, NameError) or not (found := re.search(r"'(\w+)'", scene.text)):
        return None
    name = found.group(1)
    match scene.statement:
        case ast.Expr(value=ast.Compare(left=ast.Name(id=left), ops=[ast.Eq()])) if left == name:
            return Finding("set_with_equals", {"name": name}, scene.line)
    if isinstance(scene.error, UnboundLocalError):
        return None
    if isinstance(owner := scene.names.get("self"), nn.Module) and name in {**vars(owner), **dict(owner.named_children())}:
        return Finding("self_before", {"name": name}, scene.line)
    if name in IMPORTS:
        return Finding("not_imported", {"name": name, "statement": IMPORTS[name]}, scene.line)
    near = alike(name, {**scene.names, **vars(builtins)}) if len(name) > 2 else None
    return Finding("misspelt_name", {"name": name, "near": near}, scene.line) if near else None


def option_unknown(scene: Scene) -> Finding | None:
    """nn.Conv2d(3, 4, 3, pading=1)"""
    if not (found := re.search(r"got an unexpected keyword argument '(\w+)'", scene.text)):
        return None
    name = found.group(1)
    calls = (node for node in scene.nodes() if isinstance(node, ast.Call))
    call = next((call for call in calls if name in {keyword.arg for keyword in call.keywords}), None)
    called = scene.value(call.func) if call else None
    if call is None or called is None:
        return None
    try:
        known = list(inspect.signature(called).parameters)
    except (ValueError, TypeError):  # written in another language
        return None
    near = alike(name, known)
    return Finding("option_misspelt", {"call": ast.unparse(call.func), "name": name, "near": near}, scene.line) if near else None


# ── Tensors and layers ───────────────────────────────────────────────────────────────────────────────────────────────


def no_tensor_there(scene: Scene) -> Finding | None:
    """Something else where torch expects a tensor: an array, a layer made with the tensor as its option, a tuple by a comma."""
    said = (
        r"must be Tensor, not ([\w.]+)",
        r"got \(([\w.]+),",
        r"unsupported operand type\(s\) for \S+: 'Tensor' and '([\w.]+)'",
        r"unsupported operand type\(s\) for \S+: '([\w.]+)' and",
    )
    found = next((found.group(1) for pattern in said if (found := re.search(pattern, scene.text))), None)
    if "numpy() on Tensor that requires grad" in scene.text or found in ("numpy.ndarray", "ndarray"):
        return Finding("numpy", line=scene.line)
    if "Boolean value of Tensor" in scene.text:
        return given_tensor(scene, scene.statement)
    if found is None or found in ("NoneType", "Tensor"):
        return None
    if found == "tuple" and scene.function and (comma := trailing_comma(scene.function)):
        return comma
    if hasattr(nn, found) or scene.class_of(found):
        return given_tensor(scene, scene.function, found) or Finding("not_called", line=scene.line)
    return Finding("no_tensor_there", {"found": found}, scene.line)


def given_tensor(scene: Scene, root: ast.AST | None, layer: str = "") -> Finding | None:
    """nn.ReLU(x) where nn.ReLU()(x) is meant: a layer made within `root`, of a class, that is not called at once."""
    if scene.function is None or scene.function.name == "__init__":
        return None
    called = {id(node.func) for node in scene.nodes(root) if isinstance(node, ast.Call)} if root else set()
    for node in scene.nodes(root) if root else ():
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if id(node) not in called:
                made = scene.value(node.func)
                if not (isinstance(made, type) and issubclass(made, nn.Module)) or layer not in ("", made.__name__):
                    continue
                if made.__name__ != name and (found := class_kept(scene, ast.unparse(node.func))):
                    return found
                if not isinstance(first, ast.Constant) and not isinstance(scene.value(first), NO_TENSORS):
                    want = f"{ast.unparse(node.func)}({'…' if needs_options(made) else ''})({ast.unparse(first)})"
                    return Finding("layer_given_tensor", {"text": ast.unparse(node), "want": want}, node.lineno)
    return None


def class_kept(scene: Scene, name: str) -> Finding | None:
    """`self.relu = nn.ReLU`, without the brackets that make a layer of the class."""
    for node in ast.walk(scene.tree):
        match node:
            case ast.Assign(targets=[target], value=ast.Name() | ast.Attribute()) if ast.unparse(target) == name:
                return Finding("class_kept", {"name": name, "layer": ast.unparse(node.value)}, node.lineno)
    return None


def needs_options(layer: type[nn.Module]) -> bool:
    """Whether a layer cannot be made without an option."""
    return any(one.default is one.empty for one in inspect.signature(layer).parameters.values())


def trailing_comma(root: ast.AST, name: str | None = None) -> Finding | None:
    """`y = …,`: a tuple of one, by a comma at the end of the line."""
    for node in ast.walk(root):
        match node:
            case ast.Assign(targets=[target], value=ast.Tuple(elts=[_])) if name in (None, ast.unparse(target)):
                return Finding("trailing_comma", {"name": ast.unparse(target)}, node.lineno)
    return None


def tuple_called(scene: Scene) -> Finding | None:
    if "'tuple' object is not callable" not in scene.text:
        return None
    called = [ast.unparse(node.func) for node in scene.nodes() if isinstance(node, ast.Call)]
    return next((found for name in called if (found := trailing_comma(scene.tree, name))), None)


def wrong_brackets(scene: Scene) -> Finding | None:
    """`x.shape(0)`, `x.size[0]`, `self.conv[x]`."""
    for node in scene.nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr="shape"), args=[index]) if "'torch.Size' object is not callable" in scene.text:
                want = f"{ast.unparse(node.func)}[{ast.unparse(index)}]"
            case ast.Subscript() if "object is not subscriptable" in scene.text and callable(scene.value(node.value)):
                want = f"{ast.unparse(node.value)}({ast.unparse(node.slice)})"
            case _:
                continue
        return Finding("brackets", {"have": ast.unparse(node), "want": want}, scene.line)
    return None


def comma_in_view(scene: Scene) -> Finding | None:
    """x.view(x.size(0) -1)"""
    for node in scene.nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=1))]) if (
                name in ("view", "reshape") and "is invalid for input of size" in scene.text
            ):
                want = f"{ast.unparse(node.func)}({ast.unparse(left)}, -1)"
                return Finding("view_comma", {"have": ast.unparse(node), "want": want}, scene.line)
    return None


def not_in_a_list(scene: Scene) -> Finding | None:
    """torch.cat(a, b)"""
    found = re.search(r"\b(cat|stack|concat)\(\)(?: takes from 1|: argument 'tensors' .* not Tensor| received an invalid comb)", scene.text)
    return Finding("not_in_a_list", {"name": f"torch.{found.group(1)}"}, scene.line) if found else None


def nothing_there(scene: Scene) -> Finding | None:
    """`self.conv.bias` of a layer without a bias, and other attributes that are None."""
    if "'NoneType' object" not in scene.text:
        return None
    for node in scene.nodes():
        match node:
            case ast.Attribute(attr=name, value=inner):
                owner = scene.value(inner)
                if owner is None or getattr(owner, name, owner) is not None:
                    continue
                if name == "bias" and isinstance(owner, nn.Module):
                    return Finding("layer_without_bias", {"layer": ast.unparse(inner)}, scene.line)
                return Finding("is_none", {"text": ast.unparse(node)}, scene.line)
    return None


def loop_over_number(scene: Scene) -> Finding | None:
    """for i in num_layers"""
    if scene.text != "'int' object is not iterable":
        return None
    loops = [node.iter for node in scene.nodes() if isinstance(node, (ast.For, ast.comprehension))]
    over = next((one for one in loops if isinstance(scene.value(one), int) or isinstance(one, ast.Constant)), None)
    return Finding("loop_over_number", {"have": ast.unparse(over)}, scene.line) if over else None


def fraction(scene: Scene) -> Finding | None:
    """range((depth - 4) / 3)"""
    if not re.search(
        r"'float' object cannot be interpreted as an integer|must be tuple of ints, ?but (?:found element of type|got) float", scene.text
    ):
        return None
    for node in scene.nodes():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return Finding(
                "divided", {"have": ast.unparse(node), "want": f"{ast.unparse(node.left)} // {ast.unparse(node.right)}"}, scene.line
            )
    known = ((node, scene.value(node)) for node in scene.nodes() if isinstance(node, (ast.Name, ast.Attribute)))
    number = next(((node, value) for node, value in known if isinstance(value, float)), None)
    return Finding("fraction", {"name": ast.unparse(number[0]), "value": repr(number[1])}, scene.line) if number else None


def labels_first(scene: Scene) -> Finding | None:
    """F.cross_entropy(labels, logits)"""
    for node in scene.nodes() if "not implemented for 'Long'" in scene.text else ():
        match node:
            case ast.Call(args=[first, second, *_]):
                labels, logits = scene.value(first), scene.value(second)
                if isinstance(labels, Tensor) and isinstance(logits, Tensor) and logits.is_floating_point() > labels.is_floating_point():
                    want = f"{ast.unparse(node.func)}({ast.unparse(second)}, {ast.unparse(first)})"
                    return Finding("labels_first", {"have": ast.unparse(node), "want": want}, scene.line)
    return None


def calls_itself(scene: Scene) -> Finding | None:
    return Finding("calls_itself", line=scene.line) if isinstance(scene.error, RecursionError) and scene.line else None


def asks(scene: Scene) -> Finding | None:
    return Finding("asks", line=scene.line) if isinstance(scene.error, EOFError) else None


RULES: tuple[Callable[[Scene], Finding | None], ...] = (
    arguments_of_method,
    no_forward,
    super_misused,
    module_as_base,
    name_unknown,
    attribute,
    option_unknown,
    no_tensor_there,
    tuple_called,
    wrong_brackets,
    comma_in_view,
    not_in_a_list,
    nothing_there,
    loop_over_number,
    fraction,
    labels_first,
    calls_itself,
    asks,
)


def without_tensor(module: nn.Module, result: object, file: Path) -> Finding:
    """What `forward` gives that holds no tensor: nothing, a layer, something else."""
    forward = type(module).forward
    line = forward.__code__.co_firstlineno if forward.__code__.co_filename == str(file) else None
    if result is None:
        return Finding("returns_nothing", line=line)
    if isinstance(result, nn.Module):
        scene = Scene(Exception(), tree_of(file), line, forward.__globals__)
        if scene.function and (found := given_tensor(scene, scene.function, type(result).__name__)):
            return found
    return Finding("no_tensor", {"found": type(result).__name__}, line)
