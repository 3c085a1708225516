"""A network to walk through, stop by stop: its stages, their blocks as its picture folds them, and the operators of each. No torch."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etude.explain.nodes import Graph, Node, Shape
from etude.explain.outline import Part, label, with_operators
from etude.explain.receptive import Field, receptive_fields
from etude.papers import ArchitectureTable
from etude.verification.facts import facts_of, graph_of
from etude.views.facts import fact_words
from etude.views.located import cited, facts_beside, located_steps, printed_of, source_of_layers

Said = Callable[[str, Sequence[int]], tuple[str, ...]]  # of a place and its operators


@dataclass(frozen=True)
class Line:
    """One operator of a stop.

    last   what comes out of the last repeat, where repeats are folded
    field  what a position of its result sees of the image, in the first repeat
    """

    index: int
    path: str
    what: str
    shape: Shape
    last: Shape
    parameters: int
    macs: int
    field: Field


@dataclass(frozen=True)
class Stop:
    """A block, `count` blocks alike of which the picture has the first, or a stage with all its blocks.

    key         in an address: "conv2_x.1", "conv2_x"; no other stop of the network has it
    title       "conv2_x.1 … 2"
    before, after   shapes of what comes in and goes out, of the first to the last repeat
    operators   of the graph, of all repeats, by their indices
    parameters, macs   of all repeats
    field       at its end
    lines       operators of the first repeat; none of a stage, whose blocks are the next `blocks` stops
    said        what the paper says of it, a sentence each
    side        only training sees it
    """

    key: str
    title: str
    before: Shape
    after: Shape
    operators: tuple[int, ...]
    parameters: int
    macs: int
    field: Field
    count: int = 1
    lines: tuple[Line, ...] = ()
    blocks: int = 0
    said: tuple[str, ...] = ()
    side: bool = False


def walk_of(name: str, options: Mapping[str, Any]) -> tuple[Stop, ...]:
    """Through the table of a registered network, with what its paper says. Raises UsageError for an option that it has not."""
    paper, network = facts_of(name)
    within, source = located_steps(name, **options).within, source_of_layers(paper, network)
    rows = {stage.place: stage for stage in source.stages} if isinstance(source, ArchitectureTable) else {}

    def said(place: str, operators: Sequence[int]) -> tuple[str, ...]:
        """The row of the table; the innermost blocks that the operators stand in, with the facts at their places, or else the table."""
        row = [f"{source.at}: {printed_of(rows[place], network)}"] if place in rows else []
        blocks = list({block.id: block for index in operators for block, _ in within[index][-1:]}.values())
        facts = [f"{fact.id}: {fact_words(fact)}" for fact in facts_beside(blocks, paper)]
        parts = [cited(part, network) for part in blocks] or [cited(source, network)]
        return (*row, *parts, *facts)

    return walk(graph_of(name, **options), said)


def walk(graph: Graph, said: Said = lambda place, operators: ()) -> tuple[Stop, ...]:
    """The stops of any graph, in order: a stage, then its blocks; a block that is alone in its stage stands for it."""
    fields = receptive_fields(graph)
    blocks = [block(part, repeats, graph, fields) for part, repeats in with_operators(graph)]
    stops = list[Stop]()
    for top, run in itertools.groupby(blocks, lambda stop: stop.key.split(".")[0]):
        several = list(run)
        whole = [stage(top, several)] if len(several) > 1 and all("." in one.key for one in several) else []
        places = [top] if len(several) == 1 else [one.key for one in (*whole, *several)]
        stops += [replace(one, said=said(place, one.operators)) for place, one in zip(places, (*whole, *several), strict=True)]
    return tuple(replace(stop, key=key) for stop, key in zip(stops, unique([stop.key for stop in stops]), strict=True))


def block(part: Part, repeats: Sequence[Sequence[Node]], graph: Graph, fields: Sequence[Field]) -> Stop:
    first, last = repeats[0], repeats[-1]
    lines = tuple(
        Line(node.index, node.path, label(node), node.shape, other.shape, node.parameters, node.macs, fields[node.index])
        for node, other in itertools.zip_longest(first, last[: len(first)], fillvalue=first[-1])
    )
    key = part.place or label(first[0])
    title = f"{part.place} … {part.until.rpartition('.')[2]}" if part.count > 1 else key
    operators = tuple(node.index for repeat in repeats for node in repeat)
    parameters, macs = (sum(getattr(graph.nodes[index], what) for index in operators) for what in ("parameters", "macs"))
    before, after = shape_before(first, graph), last[-1].shape
    return Stop(key, title, before, after, operators, parameters, macs, fields[last[-1].index], part.count, lines, side=part.side)


def stage(top: str, blocks: Sequence[Stop]) -> Stop:
    first, last = blocks[0], blocks[-1]
    operators = tuple(index for one in blocks for index in one.operators)
    parameters, macs = sum(one.parameters for one in blocks), sum(one.macs for one in blocks)
    return Stop(top, top, first.before, last.after, operators, parameters, macs, last.field, blocks=len(blocks), side=first.side)


def shape_before(nodes: Sequence[Node], graph: Graph) -> Shape:
    """Of what the first of these operators is given."""
    source = nodes[0].inputs[0]
    return graph.nodes[source].shape if source >= 0 else graph.input


def unique(names: Sequence[str]) -> list[str]:
    """The same; what has a name that was there before, with its number."""
    seen = Counter[str]()

    def numbered(name: str) -> str:
        seen[name] += 1
        return name if seen[name] == 1 else f"{name}~{seen[name]}"

    return [numbered(name) for name in names]
