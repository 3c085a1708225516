"""What a registered network's paper says about it, without importing torch."""

from typing import Any

from etude.models import registry
from etude.papers import Network, Paper, Step, expand, load


def facts_of(name: str) -> tuple[Paper, Network]:
    """The paper of a registered network, and its architecture there. Raises UsageError for an unknown name."""
    paper = load(registry.row(name).paper)
    return paper, paper.networks[name]


def steps_of(name: str, **options: Any) -> tuple[Step, ...]:
    """Every operator that the paper asks of a registered network, built with those options.

    Raises UsageError for an option that the paper's table knows nothing of, such as `norm`.
    """
    paper, network = facts_of(name)
    return expand(paper, network, **options)
