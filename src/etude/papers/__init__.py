"""The papers as data: typed facts with citations, and the expansion of a paper's table into layers. Imports no torch."""

from etude.papers.expand import Step, expand
from etude.papers.facts import Block, Curve, Fact, Network, Paper, load, names

__all__ = ["Block", "Curve", "Fact", "Network", "Paper", "Step", "expand", "load", "names"]
