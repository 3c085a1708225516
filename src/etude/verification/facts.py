"""What a registered network's paper says about it, without importing torch."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from etude.explain.nodes import Graph, Node
from etude.models import registry
from etude.models.network import Network
from etude.operator import Operator
from etude.papers import Architecture, Count, Paper, Step, expand, load
from etude.shown import Shown
from etude.targets.target import Target

COSTLY_MACS, MANY_STEPS = 4e9, 2_000  # from here on five minutes: ResNet-50, and one of 600 layers


class PaperAndNetwork(NamedTuple):
    paper: Paper
    network: Architecture


class Facts(Shown, PaperAndNetwork):
    """What a paper says, and what it says of one network: a pair."""


def facts_of(name: str) -> Facts:
    """The paper of a registered network, and its architecture there. Raises UsageError for an unknown name."""
    paper = load(registry.row(name).paper)
    return Facts(paper, paper.networks[name])


def count_of(name: str, /, **options: Any) -> Count | None:
    """What its paper's facts count of a registered network, built with those options."""
    paper, network = facts_of(name)
    given = {**network.given, **options}
    return next((count for count in paper.counts_of(name) if {**network.given, **count.given} == given), None)


def steps_of(name: str, /, **options: Any) -> tuple[Step, ...]:
    """Every operator that the paper asks of a registered network, built with those options.

    Raises UsageError for an option that the paper's table knows nothing of, such as `norm`.
    """
    paper, network = facts_of(name)
    return expand(paper, network, **options)


def steps_at(name: str, image: tuple[int, int, int], options: Mapping[str, Any]) -> tuple[Step, ...]:
    """The same for another image. Raises UsageError where it is too small for the table."""
    paper, network = facts_of(name)
    return expand(paper, replace(network, input=image), **options)


def seconds_for(steps: Sequence[Step]) -> float:
    """How long holding a module against them may take: a minute, for costly and for deep networks up to five."""
    share = max(sum(step.macs for step in steps) / COSTLY_MACS, len(steps) / MANY_STEPS)
    return round(min(max(60, 300 * share), 300))


def graph_of(name: str, /, **options: Any) -> Graph:
    """What the paper asks of a registered network as a graph, like that of a module which has run."""
    steps = steps_of(name, **options)
    shared = [field.name for field in fields(Operator)]
    nodes = tuple(Node(**{name: getattr(step, name) for name in (*shared, "parameters", "macs")}) for step in steps)
    return Graph(facts_of(name)[1].input, nodes, ends_of(steps), sum(step.parameters for step in steps))


def ends_of(steps: Sequence[Step]) -> tuple[int, ...]:
    """The operators whose results are outputs: the logits first, then auxiliary heads."""
    used = {index for step in steps for index in step.inputs}
    ends = [index for index in range(len(steps)) if index not in used]
    return (ends[-1], *ends[:-1])


def options_of_target(target: Target, against: Network) -> dict[str, Any]:
    """What a run has trained its network with, where that is the one it is held against: its options and, if other, classes."""
    from etude.train import kept
    from etude.train.run import Run

    if target.kind != "run":
        return {}
    run = Run(kept.place_of(target.place))
    if run.recipe().model.name != against.name:
        return {}
    classes = len(run.environment()["classes"])
    own = {} if facts_of(against.name)[1].given.get("classes", classes) == classes else {"classes": classes}
    return {**own, **run.recipe().model.options}
