"""The papers as data: typed facts with citations, and the expansion of a paper's table into layers. Imports no torch."""

from etude.papers.architecture import Architecture, ArchitectureTable, Block, Stage
from etude.papers.expand import Step, expand
from etude.papers.facts import Count, Curve, Fact, Paper, ResultRow, ResultTable, Statistic, load, names

__all__ = [
    "Architecture",
    "ArchitectureTable",
    "Block",
    "Count",
    "Curve",
    "Fact",
    "Paper",
    "ResultRow",
    "ResultTable",
    "Stage",
    "Statistic",
    "Step",
    "expand",
    "load",
    "names",
]
