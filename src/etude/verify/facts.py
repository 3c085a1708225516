"""What a registered network's paper says about it, without importing torch."""

from etude.models import registry
from etude.papers import Network, Paper, load


def facts_of(name: str) -> tuple[Paper, Network]:
    """The paper of a registered network, and its architecture there. Raises UsageError for an unknown name."""
    row = registry.row(name)
    paper = load(row.paper)
    return paper, paper.networks[row.network]
