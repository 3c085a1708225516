"""A network of somebody's own: what it runs and the parts of its file, as the pages of our own have them.

`look` runs apart, as all foreign code does; the one that waits takes its answer by `Own.from_dict`. No torch but where it runs.
"""

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.errors import EtudeError
from etude.explain.nodes import Graph, Node
from etude.source import UNREADABLE, Script
from etude.targets.target import Target
from etude.views.view import Passage

if TYPE_CHECKING:
    from torch import nn

    from etude.targets.needed import Part
    from etude.targets.statement import Statement
    from etude.views.reading import Use

LARGE_KERNEL = 7  # of the first convolution: a network for large images


@dataclass(frozen=True)
class Own:
    """note: which lines of its file were not run."""

    graph: Graph
    passages: tuple[Passage, ...]
    note: str

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Own":
        """From `dataclasses.asdict`, after a way through JSON."""
        found = tupled(plain)
        graph = Graph(**{**found["graph"], "nodes": tuple(Node(**node) for node in found["graph"]["nodes"])})
        return Own(graph, tuple(Passage(**one) for one in found["passages"]), found["note"])


def tupled(value: Any) -> Any:
    """Values of JSON with a tuple in place of every list."""
    match value:
        case list():
            return tuple(map(tupled, value))
        case dict():
            return {key: tupled(item) for key, item in value.items()}
    return value


# ── What runs apart ──────────────────────────────────────────────────────────────────────────────────────────────────


def look(target: str, input_shape: Sequence[int] | None, first: Sequence[int] | None = None) -> dict[str, Any]:
    """An `Own` as a dict, of a target that is something in a file; of a file without a name that has not just one, what there is to name.

    input_shape  channels, height and width; or None for one that the module takes, of which `first` is tried first
    Raises       UsageError for names that are not there, EtudeError for code that cannot be run
    """
    from etude.explain.graph import graph
    from etude.targets.opening import opened, part_of
    from etude.verification.prepare import bare, eagerly

    pointed = Target.read(target)
    if not pointed.name:
        networks, blocks = named_in(Path(pointed.place))
        if len(networks) != 1:
            return {"networks": networks, "blocks": blocks}
        pointed = dataclasses.replace(pointed, name=networks[0])
    with opened(pointed) as made, eagerly():
        part, module = part_of(Path(pointed.place), pointed.first, *pointed.names), bare(made.module)
        found = graph(module, tuple(input_shape)) if input_shape else a_run(module, first)
        return dataclasses.asdict(Own(found, tuple(passages(part, module, found)), made.note))


def named_in(file: Path) -> tuple[list[str], list[str]]:
    """The networks and the blocks of a file. Raises EtudeError for what Python cannot read."""
    from etude.targets.candidates import Contents
    from etude.targets.opening import what_happened

    script = Script.read(file)
    try:
        networks, blocks = Contents(script.tree).networks()
    except UNREADABLE as error:
        raise EtudeError(f"{file.name} cannot be read: {what_happened(error, script)}") from error
    return list(networks), list(blocks)


def a_run(module: "nn.Module", first: Sequence[int] | None) -> Graph:
    """The graph on the first image that the module takes. Raises EtudeError, which says what stops it, where it takes none."""
    from etude.explain.graph import DoesNotRun, on_a_copy, recorded
    from etude.verification.running import Stopped, first_run, images_to_try

    channels, height, width = first or likely_image(module)
    images = list(images_to_try((channels, height, width)))
    for image in images:
        try:
            return on_a_copy(module, image, recorded)
        except DoesNotRun:
            raise
        except Exception:
            continue
    try:
        first_run(module.eval(), images, 10)
    except Stopped as error:
        raise EtudeError(str(error)) from error
    raise EtudeError(f"{type(module).__name__} runs only now and then; no picture can be made of it")


def likely_image(module: "nn.Module") -> tuple[int, int, int]:
    """By its first kernel: as many channels, and large behind a large kernel."""
    first = next((weight.shape for weight in module.parameters() if weight.dim() == 4), (0, 3, 1, 1))
    channels = first[1] if first[1] in (1, 3) else 3
    side = 224 if first[-1] >= LARGE_KERNEL else 32 if channels == 3 else 28
    return channels, side, side


def passages(part: "Part", module: "nn.Module", graph: Graph) -> Iterator[Passage]:
    """What the network needs of its file, imports aside: of a class also where it is used, and what flows through it."""
    from etude.views.reading import told

    script, uses = part.script, uses_of(part, module, graph)
    for run in runs(part):
        name, (first, last) = title(run), (run[0].lines[0], run[-1].lines[1])
        there = uses.get(name.removeprefix("class "), ())
        cell, line = script.cell(first)
        file = script.file.name if cell is None else f"{script.file.name}, cell {cell}"
        text = "\n".join(script.text.split("\n")[first - 1 : last])  # as Python counts, which knows no other ends of lines
        yield Passage(name, file, line, text, tuple(told(there)) if there else (), tuple((use.path, use.operators) for use in there))


def runs(part: "Part") -> Iterator[list["Statement"]]:
    """The statements that are needed: a definition for itself, others together that follow each other in the file."""
    from etude.targets.statement import DEFINITIONS, IMPORTS

    found: list[Statement] = []
    for statement in part.everything:
        alone = isinstance(statement.node, (*DEFINITIONS, *IMPORTS)) or statement not in part.needed
        if found and (alone or part.cell(found[-1]) != part.cell(statement)):
            yield found
            found = []
        if statement in part.needed and isinstance(statement.node, DEFINITIONS):
            yield [statement]
        elif not alone:
            found.append(statement)
    if found:
        yield found


def title(run: Sequence["Statement"]) -> str:
    """`class Net`, `def make`, or the names that they bind."""
    match run[0].node:
        case ast.ClassDef(name=name):
            return f"class {name}"
        case ast.FunctionDef(name=name):
            return f"def {name}"
    return ", ".join(sorted({name for statement in run for name in statement.binds})) or "…"


def uses_of(part: "Part", module: "nn.Module", graph: Graph) -> dict[str, tuple["Use", ...]]:
    """By the name of a class of the file, the places where the network has it, or what is derived from it, and where something runs."""
    from etude.views.reading import operators_at, use_of

    places = dict(module.named_modules())
    operators = operators_at(places, [node.path for node in graph.nodes])
    found: dict[str, tuple[Use, ...]] = {}
    for path, of in places.items():
        if there := operators[path]:
            use = use_of(path, there, graph.nodes, [()] * len(graph.nodes), graph.input)
            for base in type(of).__mro__:
                if file_of(base) == str(part.script.file):
                    found[base.__name__] = (*found.get(base.__name__, ()), use)
    return found


def file_of(of: type) -> str:
    """Where a class stands; "" where Python does not know."""
    try:
        return inspect.getfile(of)
    except (TypeError, OSError):
        return ""
