"""What a page needs to walk through a network: its picture, its stops, and its source line by line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from etude.errors import UsageError
from etude.explain.nodes import Graph
from etude.models.network import Network
from etude.report.diagram import diagram
from etude.report.web import filled, highlighted, inline, joined
from etude.studio.words import Language, tell
from etude.views.view import Passage
from etude.views.walk import Stop

LARGEST = 2_000  # number in an option: a deeper network takes minutes to expand
LINE = '<span class="line" data-line="{}">{}\n</span>'


@dataclass(frozen=True)
class Walk:
    """stops in order; the picture; and which operators each has, for the script."""

    graph: Graph
    stops: tuple[Stop, ...]
    picture: Markup

    @classmethod
    def of(cls, graph: Graph, stops: tuple[Stop, ...]) -> "Walk":
        return cls(graph, stops, inline(diagram(graph)))

    @property
    def plain(self) -> dict[str, Any]:
        """For the script: operators by their indices, drawn or folded away."""
        stops = [{"key": stop.key, "operators": stop.operators, "blocks": stop.blocks, "side": stop.side} for stop in self.stops]
        return {"stops": stops, "paths": [node.path for node in self.graph.nodes]}

    @property
    def folded(self) -> list[Stop]:
        """What the picture shows once and the network has several times."""
        return [stop for stop in self.stops if stop.count > 1]

    def at(self, path: str) -> tuple[int, ...]:
        """The operators at a place, or else within it; of those that are folded away, the ones that are drawn for them."""
        found = [node.index for node in self.graph.nodes if node.path == path]
        found = found or [node.index for node in self.graph.nodes if path and node.path.startswith(f"{path}.")]
        return tuple(dict.fromkeys(map(self.drawn, found)))

    def drawn(self, operator: int) -> int:
        """The operator of a first repeat that is drawn for this one."""
        for stop in self.stops:
            if stop.lines and operator in stop.operators:
                return stop.lines[stop.operators.index(operator) % len(stop.lines)].index
        return operator


def within_reason(network: Network) -> Network:
    """The same. Raises UsageError for one of which the table would take minutes to expand."""
    if largest_in(network.options) > LARGEST:
        raise UsageError(f"{network}: here at most {LARGEST:,}; `etude show` takes any")
    return network


def largest_in(value: Any) -> float:
    """The largest number in a value."""
    match value:
        case bool() | str() | None:
            return 0
        case Mapping():
            return max(map(largest_in, value.values()), default=0)
        case tuple():
            return max(map(largest_in, value), default=0)
        case int() | float():
            return abs(value)
    return LARGEST + 1


def source_of(passages: Iterable[Passage], language: Language) -> dict[str, Any]:
    """The passages for a script: what is shown of each, and where the network uses it."""
    return {"passages": [{"html": passage_in_lines(one, language), "uses": one.uses} for one in passages]}


def passage_in_lines(passage: Passage, language: Language) -> Markup:
    """A passage that opens and closes, every line an element of its own, so that it can be marked."""
    lines = highlighted(passage.text).rstrip("\n").split("\n")
    code = joined(*(filled(LINE, passage.line + at, Markup(line)) for at, line in enumerate(lines)))
    notes = joined(*(filled("<li>{}</li>", tell(language, note)) for note in passage.notes))
    head = filled('<summary>{} <span class="soft">{}</span></summary>', tell(language, passage.title), passage.place)
    return filled(
        '<details class="passage" data-file="{}">{}<ul class="soft">{}</ul><pre>{}</pre></details>', passage.file, head, notes, code
    )
