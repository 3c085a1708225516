"""The papers as data: typed facts with citations, and the expansion of a paper's table into layers. Imports no torch."""

from etude.papers.architecture import Block, Network, Stage, Table
from etude.papers.expand import Step, expand
from etude.papers.facts import Count, Curve, Fact, Paper, ResultRow, ResultTable, load, names

__all__ = [
    "Block",
    "Count",
    "Curve",
    "Fact",
    "Network",
    "Paper",
    "ResultRow",
    "ResultTable",
    "Stage",
    "Step",
    "Table",
    "expand",
    "load",
    "names",
]
