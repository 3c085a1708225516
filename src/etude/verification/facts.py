"""What a registered network's paper says about it, without importing torch."""

from collections.abc import Sequence
from typing import Any

from etude.explain.nodes import Graph, Node
from etude.models import registry
from etude.papers import Architecture, Paper, Step, expand, load


def facts_of(name: str) -> tuple[Paper, Architecture]:
    """The paper of a registered network, and its architecture there. Raises UsageError for an unknown name."""
    paper = load(registry.row(name).paper)
    return paper, paper.networks[name]


def steps_of(name: str, /, **options: Any) -> tuple[Step, ...]:
    """Every operator that the paper asks of a registered network, built with those options.

    Raises UsageError for an option that the paper's table knows nothing of, such as `norm`.
    """
    paper, network = facts_of(name)
    return expand(paper, network, **options)


def graph_of(name: str, /, **options: Any) -> Graph:
    """What the paper asks of a registered network as a graph, like that of a module which has run."""
    steps = steps_of(name, **options)
    nodes = tuple(_node(index, step) for index, step in enumerate(steps))
    return Graph(facts_of(name)[1].input, nodes, ends_of(steps), sum(step.parameters for step in steps))


def ends_of(steps: Sequence[Step]) -> tuple[int, ...]:
    """The operators whose results are outputs: the logits first, then auxiliary heads."""
    used = {index for step in steps for index in step.inputs}
    ends = [index for index in range(len(steps)) if index not in used]
    return (ends[-1], *ends[:-1])


def _node(index: int, step: Step) -> Node:
    window = {"kernel": step.kernel, "stride": step.stride, "padding": step.padding}
    counts = {"bias": step.bias, "factor": step.factor, "parameters": step.parameters, "macs": step.macs}
    return Node(index, step.op, step.path, step.inputs, step.shape, **window, **counts)  # type: ignore[arg-type]
