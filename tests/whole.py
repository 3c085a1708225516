"""Registered networks at full size, each built and recorded once for all tests of it."""

import functools
from dataclasses import dataclass

from torch import nn

import etude
from etude.explain.nodes import Graph
from etude.models import registry
from etude.papers import Step
from etude.verification.exact import without_weights
from etude.verification.facts import steps_of

DEEPEST = ("resnet1202", "resnet1001", "preact_resnet1001")  # of the same blocks as others, more often
SHALLOWER = tuple(name for name in registry.names() if name not in DEEPEST)


@dataclass(frozen=True)
class Whole:
    """One of them: its row, its module without weights, the graph of what runs, and the operators that its paper's table asks for."""

    name: str

    @property
    def row(self) -> registry.Row:
        return registry.row(self.name)

    @functools.cached_property
    def module(self) -> nn.Module:
        return without_weights(self.name)

    @functools.cached_property
    def graph(self) -> Graph:
        return etude.graph(self.module, self.row.input)

    @functools.cached_property
    def steps(self) -> tuple[Step, ...]:
        return steps_of(self.name)
