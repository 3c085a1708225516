"""A registered network as a text to read: the source of every part that it uses, beside what the paper says of that part.

Three lists are joined: the modules that the built network consists of, the operators that the paper's table asks for, and the
definitions in the source. The first two meet in their names, `conv2_x.0.conv1`; where a module has a name that the paper does not
know, in the operators that run there. The last two meet in the modules' classes.
"""

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from etude.explain.graph import graph
from etude.explain.nodes import Node, Shape
from etude.explain.outline import stages
from etude.models import pieces, registry
from etude.papers import ArchitectureTable, Block, Step
from etude.source import tree_of
from etude.verification.exact import without_weights
from etude.verification.facts import facts_of, graph_of, steps_of
from etude.views.card import card
from etude.views.facts import fact_words
from etude.views.located import cited, is_left_open_here, located_steps, printed_of, source_of_layers
from etude.views.view import Passage, Points, Terms, Text, View, called, command
from etude.wording import size, sizes

MOST_LINES = 12  # of places; of more, the first and the last are told


@dataclass(frozen=True)
class Reading:
    """A network, built with `options`.

    paper       title, authors, year and source
    at          where the paper has the network
    departures  what differs from the paper
    left_open   facts of the paper that it leaves open or contradicts, as far as they concern this network
    """

    name: str
    title: str
    paper: str
    at: str
    note: str
    departures: tuple[str, ...]
    passages: tuple[Passage, ...]
    left_open: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """One place where a class of the model's file stands, as the paper's table has it.

    path        "conv2_x.0"; "" for the network itself
    before      shapes that come in, one for each operator outside of it that it uses
    after       shape of what goes out
    parameters  learned scalars
    blocks      of the paper that stand there, or the innermost around it; none for a layer that no block holds
    operators   of the table that run there, their indices
    """

    path: str
    before: tuple[Shape, ...]
    after: Shape
    parameters: int
    blocks: tuple[Block, ...]
    operators: tuple[int, ...]


def reading(name: str, /, **options: Any) -> Reading:
    """The source of a registered network with notes. Raises UsageError for an unknown name or option."""
    shown, (paper, network) = card(name, **options), facts_of(name)
    located = located_steps(name, **options)
    left_open = (fact for fact in paper.facts.values() if is_left_open_here(fact, paper, network, located))
    return Reading(
        name=name,
        title=shown.title,
        paper=shown.paper,
        at=shown.at,
        note=shown.note,
        departures=shown.departures,
        passages=tuple(_passages(name, options)),
        left_open=tuple(f"{fact.id}: {fact_words(fact)}" for fact in left_open),
    )


def reading_view(name: str, options: Mapping[str, Any]) -> View:
    """The source of a registered network, each part beside what the paper says of it."""
    found = reading(name, **options)
    said = (("paper", found.paper), ("where", found.at), ("note", found.note), ("departures", "; ".join(found.departures)))
    head = (Text(f"{called(name, options)}: {found.title}"), Terms(tuple((key, text) for key, text in said if text)))
    left_open = (Points("The paper leaves open or contradicts:", found.left_open),) if found.left_open else ()
    return View(f"Source of {name}, beside the paper", command("read", name, options), (*head, *found.passages, *left_open), found)


# ── The source ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Definition:
    """A class or function of a file, or a name that it gives to a value; from the comment above it to its last line."""

    module: ModuleType
    title: str
    names: tuple[str, ...]
    first: int
    last: int
    mentions: frozenset[str]


def _passages(name: str, options: dict[str, Any]) -> Iterator[Passage]:
    """The docstring of the model's file, then what the network uses of it and of what the models share, in the order of the files."""
    target = registry.row(name).target.partition(":")
    model = importlib.import_module(f"etude.models.{target[0]}")
    places = uses(name, **options)
    notes = {of: tuple(_notes_of_class(name, there)) for of, there in places.items()}
    notes |= {of: tuple(_notes_of_network(name, there[0], options)) for of, there in places.items() if there[0].path == ""}
    reached = _reached(model, target[2], {base for of in places for base in of.__mro__ if _ours(base)})
    lines = {module: inspect.getsource(module).splitlines() for module in (model, pieces)}
    end = tree_of("\n".join(lines[model])).body[0].end_lineno
    yield Passage("about the file", f"{target[0]}.py", 1, "\n".join(lines[model][:end]))
    for one in reached:
        of = getattr(one.module, one.names[0])
        own = notes.get(of, ()) if one.title.startswith("class ") else ()
        users = ", ".join(other for user in reached if user is not one and user.mentions & {*one.names} for other in user.names)
        told = own or (f"used by {users}" if users else f"makes {name}",)
        file = Path(str(one.module.__file__)).name
        heirs = [there for kind, there in places.items() if of in kind.__mro__] if isinstance(of, type) else []
        used = tuple((use.path, use.operators) for there in heirs for use in there)
        yield Passage(one.title, file, one.first, "\n".join(lines[one.module][one.first - 1 : one.last]), told, used)


def _definitions(module: ModuleType) -> list[Definition]:
    """The definitions of a file in order; values without a line between them are one."""
    source = inspect.getsource(module)
    lines, found = source.splitlines(), list[Definition]()
    for node in tree_of(source).body:
        names = _names(node)
        if not names:
            continue
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        while lines[first - 2].startswith("#"):
            first -= 1
        last = node.end_lineno or first
        mentions = frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
        kind = {ast.ClassDef: "class ", ast.FunctionDef: "def "}.get(type(node), "")
        if found and not kind and found[-1].last == first - 1:
            before = found.pop()
            first, names, mentions = before.first, before.names + names, before.mentions | mentions
        found.append(Definition(module, kind + ", ".join(names), names, first, last, mentions))
    return found


def _names(node: ast.stmt) -> tuple[str, ...]:
    """What a statement at the top of a file defines."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return (node.name,)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return tuple(one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
    return ()


def _reached(model: ModuleType, target: str, used: set[type[nn.Module]]) -> list[Definition]:
    """What the network's class or function mentions, and what that mentions, and so on; of the modules those that are `used`."""
    known = [*_definitions(model), *_definitions(pieces)]
    by_name = {(one.module, name): one for one in known for name in one.names}
    found: set[int] = set()
    waiting = [(model, target), *((importlib.import_module(of.__module__), of.__name__) for of in used)]
    while waiting:
        module, name = waiting.pop()
        value = getattr(module, name, None)
        if isinstance(value, type) and issubclass(value, nn.Module) and value not in used:
            continue
        imported = value is not None and value is getattr(pieces, name, None)
        one = by_name.get((module, name)) or (by_name.get((pieces, name)) if imported else None)
        if one and known.index(one) not in found:
            found.add(known.index(one))
            waiting += [(one.module, mention) for mention in one.mentions]
    return [known[index] for index in sorted(found)]


# ── Where the modules of a network stand in the paper ────────────────────────────────────────────────────────────────


def uses(name: str, **options: Any) -> dict[type[nn.Module], tuple[Use, ...]]:
    """Where the classes that a network takes from Etude's files stand, by class, in order; the network itself is at "".

    Shapes and parameters are those that the paper's table asks for. Raises UsageError for an unknown name or option.
    """
    steps, within = steps_of(name, **options), located_steps(name, **options).within
    module, image = without_weights(name, **options), registry.row(name).input
    places = {path: type(part) for path, part in module.named_modules() if _ours(type(part))}
    operators = operators_at(places, [step.path for step in steps])
    if unnamed := [path for path, found in operators.items() if not found]:  # the paper has no name for that place
        operators |= operators_at(unnamed, [node.path for node in graph(module, image).nodes])
    found: dict[type[nn.Module], list[Use]] = {}
    for path, of in places.items():
        found.setdefault(of, []).append(use_of(path, operators[path], steps, within, image))
    return {of: tuple(there) for of, there in found.items()}


def _ours(of: type) -> bool:
    return of.__module__.startswith("etude.models.")


def operators_at(places: Iterable[str], paths: Sequence[str]) -> dict[str, list[int]]:
    """The operators that run at a place or within it, by the paths they have."""
    found: dict[str, list[int]] = {place: [] for place in places}
    for index, path in enumerate(paths):
        words = path.split(".") if path else []
        for end in range(len(words) + 1):
            if (place := ".".join(words[:end])) in found:
                found[place].append(index)
    return found


def use_of(
    path: str, operators: list[int], steps: Sequence[Step | Node], within: Sequence[tuple[tuple[Block, str], ...]], image: Shape
) -> Use:
    """What stands at a place, by the operators there: of a table, or of a graph, which stands `within` no block."""
    inside = set(operators)
    sources = dict.fromkeys(one for index in operators for one in steps[index].inputs if one not in inside)
    before = tuple(steps[one].shape if one >= 0 else image for one in sources)
    there = [block for index in operators for block, place in within[index] if path and f"{place}.".startswith(f"{path}.")]
    blocks = there or [within[index][-1][0] for index in operators if path and within[index]]
    distinct = tuple({block.id: block for block in blocks}.values())
    return Use(path, before, steps[operators[-1]].shape, sum(steps[index].parameters for index in operators), distinct, tuple(operators))


# ── Notes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _notes_of_class(name: str, places: Sequence[Use]) -> Iterator[str]:
    """How often it is used, where and with which shapes, and the blocks of the paper that it realises."""
    paper, network = facts_of(name)
    yield from told(places)
    if not all(place.blocks for place in places):
        yield cited(source_of_layers(paper, network), network)
    for block in {block.id: block for place in places for block in place.blocks}.values():
        yield cited(block, network)


def told(places: Sequence[Use]) -> Iterator[str]:
    """How often something is used, where and with which shapes."""
    if len(places) > 1:
        yield f"{len(places)} times, {places[0].path} … {places[-1].path}"
    lines = [_line(alike) for alike in _folded(places)]
    left = len(lines) - MOST_LINES
    yield from lines if left <= 0 else (*lines[: MOST_LINES - 1], f"… {left} more …", lines[-1])


def _folded(places: Sequence[Use]) -> list[list[Use]]:
    """Neighbours `a.1`, `a.2`, … that stand for the same blocks and change shapes in the same way."""
    folded: list[list[Use]] = []
    for place in places:
        if folded and _family(folded[-1][-1]) == _family(place):
            folded[-1].append(place)
        else:
            folded.append([place])
    return folded


def _family(place: Use) -> Any:
    """What places have in common that are told in one line: maps of one size, and as many channels more behind as in front."""
    words = tuple(word for word in place.path.split(".") if not word.isdecimal())
    return words, place.after[0] - place.before[0][0], [shape[1:] for shape in (*place.before, place.after)], place.blocks


def _line(places: Sequence[Use]) -> str:
    """`conv2_x.1 … 2: 256×56×56 → 256×56×56, 70,400 parameters each`."""
    first, last = places[0], places[-1]
    number = last.path.rpartition(".")[2]
    where = first.path or "in all" if first is last else f"{first.path} … {number if number.isdecimal() else last.path}"
    before = " and ".join(sizes(one, other) for one, other in zip(first.before, last.before, strict=True))
    same = first.parameters == last.parameters
    counts = f"{first.parameters:,} parameters" if same else f"{first.parameters:,} … {last.parameters:,} parameters"
    told = f", {counts}" + " each" * (same and first is not last) if last.parameters else ""
    return f"{where}: {before} → {sizes(first.after, last.after)}{told}"


def _notes_of_network(name: str, whole: Use, options: dict[str, Any]) -> Iterator[str]:
    """The network's table, row by row, beside the sizes and costs that the paper prints."""
    paper, network = facts_of(name)
    source = source_of_layers(paper, network)
    yield f"{size(whole.before[0])} → {size(whole.after)}, {whole.parameters:,} parameters"
    yield cited(source, network)
    printed = {stage.place: f"; {printed_of(stage, network)}" for stage in source.stages} if isinstance(source, ArchitectureTable) else {}
    table = graph_of(name, **options)
    for place, nodes in stages(table):
        before = table.nodes[nodes[0].inputs[0]].shape if nodes[0].inputs[0] >= 0 else table.input
        count = sum(node.parameters for node in nodes)
        told = f", {count:,} parameters" if count else ""
        yield f"{place}: {size(before)} → {size(nodes[-1].shape)}{told}{printed.get(place, '')}"
