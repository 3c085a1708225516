"""Which values of a network's options there are to choose from. No torch."""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from etude.papers.words import Value, parsed
from etude.verification.facts import facts_of
from etude.views.located import source_of_layers


def choices(name: str) -> dict[str, tuple[Value, ...]]:
    """By option: its own value first, then those that the paper's table permits, or else those with which the paper counts or publishes.

    An option without another value is left out. Not all of them go together. Raises UsageError for an unknown name.
    """
    paper, network = facts_of(name)
    published = [count.given for count in paper.counts_of(name)]
    published += [row.given for _, row in paper.results_of(name)]
    permitted = dict(listed(source_of_layers(paper, network).checks))
    found = dict[str, tuple[Value, ...]]()
    for word, own in network.given.items():
        others = permitted.get(word) or [given[word] for given in published if word in given]
        values = [own, not own] if isinstance(own, bool) else [own, *others]
        if len(distinct := tuple(dict.fromkeys(values))) > 1:
            found[word] = distinct
    return found


def listed(checks: Iterable[str]) -> Iterator[tuple[str, list[Any]]]:
    """The words of which a check has all values: "shortcut in ('A', 'B', 'C')"."""
    for check in checks:
        match parsed(check):
            case ast.Compare(left=ast.Name(id=word), ops=[ast.In()], comparators=[ast.Tuple() as values]):
                yield word, ast.literal_eval(values)
