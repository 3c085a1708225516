"""Exact checks: a network's parameters, operators, shapes and costs against what its paper's table expands to."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from etude.explain.graph import graph
from etude.explain.nodes import Graph, Node
from etude.models import registry
from etude.models.network import Network
from etude.operator import FACTS
from etude.papers import Fact, Step, load
from etude.verification.facts import count_of, facts_of, steps_of
from etude.verification.interpret import NORM_EPS, RESPONSE, Choice

Verdict = Literal["exact", "departs"]


@dataclass(frozen=True)
class Check:
    """One exact claim: what was expected, where the paper says so, what was found.

    printed  what stands in the paper, where that is not what we hold to
    """

    what: str
    expected: int
    found: int
    unit: str
    at: str
    kind: str
    printed: int | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        return "exact" if self.expected == self.found else "departs"


@dataclass(frozen=True)
class LayerCheck:
    """One operator: its row of the expanded table, what ran, and the facts that differ. One of the two may be missing."""

    expected: Step | None
    found: Node | None
    differences: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where the operator stands, in the paper's names."""
        return self.expected.path if self.expected else self.found.path if self.found else ""

    @property
    def verdict(self) -> Verdict:
        return "departs" if self.differences else "exact"


def parameters(name: str, module: nn.Module | None = None, **options: Any) -> Check:
    """The parameters of a registered network, or of `module` in its place, against the count in its paper's facts, or else its table's."""
    count, (_, architecture) = count_of(name, **options), facts_of(name)
    expected = count.parameters if count else sum(step.parameters for step in steps_of(name, **options))
    found = sum(p.numel() for p in (without_weights(name, **options) if module is None else module).parameters())
    at, note = (count.at or architecture.at, count.note) if count else (architecture.at, "")
    kind = architecture.kind if architecture.kind in ("silent", "departs") else "deduced"
    return Check(f"{Network(name, options)}: parameters", expected, found, "parameters", at, kind, note=note)


def layers(name: str, module: nn.Module | None = None, **options: Any) -> tuple[LayerCheck, ...]:
    """Every operator of a registered network, or of `module` in its place, against the paper's table, in order."""
    measured = graph(without_weights(name, **options) if module is None else module, registry.row(name).input)
    return held(Network(name, options), measured)


def held(network: Network, measured: Graph) -> tuple[LayerCheck, ...]:
    """Every operator of a graph against the table of a registered network, in order."""
    return compare(steps_of(network.name, **network.options), measured, eps_of(network.name))


def without_weights(name: str, **options: Any) -> nn.Module:
    """A registered network on the meta device: shapes and no memory."""
    return Network(name, options).without_weights()


def eps_of(name: str) -> float:
    """The ε of a registered network's batch normalisations: torch's, unless other code that it follows has its own."""
    return float(facts_of(name)[1].words.get("norm_eps", NORM_EPS))  # type: ignore[arg-type]


def compare(steps: tuple[Step, ...], measured: Graph, eps: float = NORM_EPS) -> tuple[LayerCheck, ...]:
    """Operator by operator in order of execution: what it is, what feeds it, shape, kernel and so on."""
    pairs = itertools.zip_longest(steps, measured.nodes)
    return tuple(LayerCheck(step, node, tuple(_differences(step, node, measured, eps))) for step, node in pairs)


def _differences(step: Step | None, node: Node | None, measured: Graph, eps: float) -> list[str]:
    if step is None or node is None:
        return ["missing" if node is None else "not in the paper's table"]
    if step.op != node.op:
        return [f"{node.op}, expected {step.op}"]
    pairs = [(fact, getattr(node, fact), getattr(step, fact)) for fact in ("shape", *FACTS, "parameters")]
    pairs.append(("only for training", node.index not in measured.inference, step.side))
    pairs.append(("fed by operators", sorted(node.inputs), sorted(set(step.inputs))))  # the order in a join is free
    pairs += _left_open(node, measured, eps)
    return [f"{fact} {found}, expected {expected}" for fact, found, expected in pairs if found != expected]


def _left_open(node: Node, measured: Graph, eps: float) -> Iterator[tuple[str, Any, Any]]:
    """What tables leave open, and what our networks have there: where shortcuts begin, where zeros stand, constants."""
    match node.op:
        case "slice":
            yield "first", node.first, (0, *Choice().pixel)
        case "pad":
            new = node.shape[0] - measured.nodes[node.inputs[0]].shape[0]
            yield "channels of zeros in front and behind", node.channels, (Choice().front, new - Choice().front)
        case "batch_norm":
            yield "constants", node.constants, (eps,)
        case "local_response_norm":
            yield "constants", node.constants, tuple(RESPONSE.values())


def cost_of_reduction() -> tuple[Check, Check]:
    """The lecture's 5×5 convolution, directly and behind a 1×1 reduction, built and measured (slides 12–13)."""
    paper = load("lecture")
    channels, height, width = paper.fact("conv_cost_input").held
    kernel, out, between = (paper.fact(f"conv_cost_{name}").held for name in ("kernel", "output", "reduction"))
    direct = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
    reduced = nn.Sequential(nn.Conv2d(channels, between, 1), nn.Conv2d(between, out, kernel, padding=kernel // 2))
    shape = (channels, height, width)
    return (
        _cost("5×5 convolution, direct", direct, shape, paper.fact("conv_cost_direct")),
        _cost("5×5 convolution behind a 1×1", reduced, shape, paper.fact("conv_cost_reduced")),
    )


def _cost(what: str, module: nn.Module, shape: tuple[int, ...], fact: Fact) -> Check:
    printed = None if fact.reading is None else int(fact.value)  # type: ignore[arg-type]
    return Check(what, fact.held, graph(module, shape).macs, fact.unit, fact.at, fact.kind, printed, fact.note)
