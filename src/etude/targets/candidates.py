"""The networks of a file, found by reading it. No torch.

A network is a class with a forward of one image that is part of no other class; where such a class wants values, what the file makes of
it without any: by functions that need no argument, or once and for all at its top level.
"""

import ast
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from etude.errors import EtudeError, UsageError
from etude.source import UNREADABLE, Script
from etude.targets.target import Target

OF_TORCH = {"Module", "Sequential"}
WEIGHTS = {"pretrained", "progress", "weights"}  # what does not make another network
MOST = 10  # that are listed

Places = dict[str, int]  # names with their lines


def named(target: Target) -> Target:
    """The target with the name of the one network in its file, where it has none. Raises UsageError where there are none, or several."""
    if target.kind != "file" or target.name:
        return target
    try:
        script = Script.read(Path(target.place))
        networks, blocks = Contents(script.tree).networks()
    except (EtudeError, *UNREADABLE):
        return target  # it will be said where the file is opened
    if len(networks) == 1:
        return replace(target, name=next(iter(networks)))
    if not networks:
        of_it = f"; it defines {listed(script, defined)}" if (defined := defined_in(script)) else ""
        raise UsageError(f"{target.place} has no network of its own; expected a class with a forward{of_it}. Write {target.place}:NAME")
    of_blocks = f"; blocks: {listed(script, blocks)}" if blocks else ""
    first = next(iter(networks))
    raise UsageError(f"{target.place}: which network? {listed(script, networks)}{of_blocks}. Write {target.place}:{first}")


def listed(script: Script, found: Places) -> str:
    """`Net (line 3), Other (line 20)`."""
    told = [f"{name} ({script.place(line)})" for name, line in found.items()]
    return ", ".join(told[:MOST] + [f"{len(told) - MOST} more"] * (len(told) > MOST))


def defined_in(script: Script) -> Places:
    """The classes and functions at the top level: a class may be a network by what it derives from in another file."""
    return {node.name: node.lineno for node in script.tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


class Contents:
    """What the top level of a file defines: classes that are modules, functions that return something, and values with their names."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.classes: dict[str, ast.ClassDef] = {}
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and self.is_module(node):
                self.classes[node.name] = node
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and gives_something(node)}
        single = (node for node in tree.body if isinstance(node, ast.Assign) and len(node.targets) == 1)
        self.values = [(node.targets[0].id, node.value) for node in single if isinstance(node.targets[0], ast.Name)]

    def is_module(self, node: ast.ClassDef) -> bool:
        bases = [last_of(base) for base in node.bases]
        derived = any(base.endswith("Module") or base in {"Sequential", *self.classes} for base in bases)
        return "Function" not in bases and (derived or method_of(node, "forward") is not None)

    def networks(self) -> tuple[Places, Places]:
        """The networks, then the classes that are blocks or need more than an image."""
        whole = self.whole()
        wanting = {name: node.lineno for name, node in whole.items() if self.wants_values(node)}
        ready = {} if whole else self.builders()
        for name, node in whole.items():
            ready |= self.makers(name) if name in wanting else {name: node.lineno}
        made = self.made({*whole, *ready})
        blocks = {name: node.lineno for name, node in self.classes.items() if name not in whole}
        if len(ready) > 1 and len(as_they_are := self.made_as_they_are(ready)) == 1:
            return as_they_are, blocks
        if len(ready) != 1 and len(made) == 1:
            return made, blocks
        return ready or made or dict(reversed(wanting.items())), blocks  # a file defines blocks before what they are for

    def whole(self) -> dict[str, ast.ClassDef]:
        """The classes that take an image and are part of no other."""
        parts, handed = self.parts()
        able = {name: node for name, node in self.classes.items() if name not in parts and self.takes_an_image(node)}
        return {name: node for name, node in able.items() if name not in handed} or able

    def layers_beside(self, name: str) -> list[str]:
        """The other classes that take an image; none beside what is no class."""
        return [key for key, node in self.classes.items() if key != name and self.takes_an_image(node)] if name in self.classes else []

    def parts(self) -> tuple[set[str], set[str]]:
        """The classes that another class mentions or that stand in a Sequential; those in a list, or handed to a class or a function."""
        found = {name for user, node in self.classes.items() for name in mentions([node]) if name != user}
        handed = set[str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.List):
                handed |= mentions([node])
            elif isinstance(node, ast.Call):
                given = [*node.args, *(option.value for option in node.keywords)]
                if last_of(node.func) == "Sequential":
                    found |= mentions(given)
                elif last_of(node.func) in ("append", "add_module"):
                    handed |= mentions(given)
                elif last_of(node.func) in {*self.classes, *self.functions}:
                    handed |= {one.id for one in given if isinstance(one, ast.Name)}
        return found, handed

    def takes_an_image(self, node: ast.ClassDef) -> bool:
        """Whether its forward, or that of a class of the file that it derives from, takes one thing; a loss takes two."""
        if forward := method_of(node, "forward"):
            return required(forward) <= 1 <= len(forward.args.args) - 1 + bool(forward.args.vararg)
        return any(last_of(base) in OF_TORCH for base in node.bases) or any(map(self.takes_an_image, self.bases(node)))

    def bases(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """The classes of the file that it derives from."""
        return [self.classes[name] for name in map(last_of, node.bases) if name in self.classes and name != node.name]

    def wants_values(self, node: ast.ClassDef) -> bool:
        """Whether its constructor, or that of a class of the file that it derives from, has arguments without a default."""
        if constructor := method_of(node, "__init__"):
            return required(constructor) > 0
        return any(map(self.wants_values, self.bases(node)))

    def makers(self, name: str) -> Places:
        """The functions without required arguments that make it, or call one that does."""
        makers = {name}
        while more := {key for key, node in self.functions.items() if key not in makers and mentions([node]) & makers}:
            makers |= more
        return {key: node.lineno for key, node in self.functions.items() if key in makers and not required(node, bound=False)}

    def builders(self) -> Places:
        """The functions without required arguments that put modules together, and that no other function mentions."""
        used = {name for user, node in self.functions.items() for name in mentions([node]) if name != user}
        return {
            name: node.lineno
            for name, node in self.functions.items()
            if name not in used and not required(node, bound=False) and calls_in(node) & {"Sequential", *self.classes}
        }

    def made_as_they_are(self, ready: Places) -> Places:
        """Those that the file makes at its top level without a value, weights aside."""
        calls = [call for _, value in self.values for call in ast.walk(value) if isinstance(call, ast.Call) and last_of(call.func) in ready]
        plain = {last_of(call.func) for call in calls if not call.args and {option.arg for option in call.keywords} <= WEIGHTS}
        return {name: line for name, line in ready.items() if name in plain}

    def made(self, networks: set[str]) -> Places:
        """The values that are modules: made of a network or a Sequential, or with parameters that somebody asks for; no part of another."""
        asked = {last_of(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute) and node.attr == "parameters"}
        found: Places = {}
        for name, value in self.values:
            if isinstance(value, ast.Call) and (name in asked or calls_in(value) & {"Sequential", *networks}):
                found.setdefault(name, value.lineno)
        parts = {part for name, value in self.values if name in found for part in mentions([value]) if part != name}
        return {name: line for name, line in found.items() if name not in parts}


def last_of(node: ast.expr) -> str:
    """`Module` of `nn.Module`."""
    return ast.unparse(node).rpartition(".")[2]


def calls_in(node: ast.AST) -> set[str]:
    return {last_of(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}


def method_of(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == name), None)


def gives_something(node: ast.FunctionDef) -> bool:
    return any(isinstance(part, ast.Return) and part.value is not None for part in ast.walk(node))


def required(node: ast.FunctionDef, bound: bool = True) -> int:
    """How many arguments without a default it takes, beside `self` where it is a method."""
    given = node.args
    by_place = len(given.posonlyargs) + len(given.args) - len(given.defaults) - bound
    return by_place + sum(default is None for default in given.kw_defaults)


def mentions(nodes: Iterable[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}
