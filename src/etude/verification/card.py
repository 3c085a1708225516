"""All there is to say of a registered network before anything runs: its paper, counts, published results, departures. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etude.models import registry
from etude.papers import Architecture, Count, Paper, ResultRow, ResultTable, Stage, Step
from etude.verification.facts import count_of, facts_of, steps_of


@dataclass(frozen=True)
class Counted:
    """Parameters or multiply-adds: exact by the table, and as the paper prints them, at `at`; None where it prints none."""

    what: str
    exact: int
    printed: float | None = None
    at: str = ""
    note: str = ""


@dataclass(frozen=True)
class PublishedRow:
    """One row of published results, for the network as it is or with the words of `given`.

    values   column to value; "fail" where the paper says so
    spreads  column to (mean, standard deviation)
    how      how many runs stand behind it
    """

    method: str
    values: Mapping[str, float | str]
    spreads: dict[str, tuple[float, float]]
    given: dict[str, Any]
    how: str
    note: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """Published results that share place, unit and protocol."""

    at: str
    title: str
    unit: str
    protocol: str
    note: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class Card:
    """A network, built with options that differ from its own in `options`."""

    name: str
    title: str
    paper: str
    at: str
    kind: str
    note: str
    departures: tuple[str, ...]
    input: tuple[int, int, int]
    options: dict[str, Any]
    operators: int
    counts: tuple[Counted, ...]
    stages: tuple[Stage, ...]
    results: tuple[PublishedTable, ...]


def card(name: str, /, **options: Any) -> Card:
    """What is known of a network. Raises UsageError for an unknown name, or an option that its paper's table does not take."""
    paper, network = facts_of(name)
    steps = steps_of(name, **options)
    given = {**network.given, **options}
    changed = {word: value for word, value in options.items() if network.given[word] != value}
    own = tuple(f"{word} = {value}; the network itself has {network.given[word]}" for word, value in changed.items())
    return Card(
        name=name,
        title=network.title,
        paper=f"{paper.title}, {paper.authors}, {paper.year}, {paper.source}",
        at=network.at,
        kind=network.kind,
        note=network.note,
        departures=(*registry.row(name).departures, *own),
        input=network.input,
        options=given,
        operators=len(steps),
        counts=tuple(_counts(count_of(name, **options), steps)),
        stages=_stages(paper, network),
        results=tuple(_results(paper, network, changed)),
    )


def _counts(count: Count | None, steps: tuple[Step, ...]) -> Iterator[Counted]:
    parameters = sum(step.parameters for step in steps)
    norms = sum(step.parameters for step in steps if step.op == "batch_norm")
    printed = count.printed_parameters if count else None
    whole = count is None or count.printed_is == "all"
    yield _counted("parameters", parameters, printed if whole else None, count)
    if not whole:
        yield _counted("without BN", parameters - norms, printed, count)
    macs = sum(step.macs for step in steps if not step.side)
    yield _counted("MACs", macs, count.printed_macs if count else None, count)


def _counted(what: str, exact: int, printed: float | None, count: Count | None) -> Counted:
    note = count.note if count and what == "parameters" else ""
    return Counted(what, exact, printed, count.at if count and printed else "", note)


def _stages(paper: Paper, network: Architecture) -> tuple[Stage, ...]:
    """The rows whose cost the paper prints."""
    stages = paper.tables[network.table].stages if network.table else ()
    return tuple(stage for stage in stages if stage.printed_parameters or stage.printed_macs) if network.kind != "departs" else ()


def _results(paper: Paper, network: Architecture, changed: dict[str, Any]) -> Iterator[PublishedTable]:
    """All published results of the network; of one built with other options, those with the same options."""
    for table in paper.results.values():
        rows = [row for row in table.rows if row.network == network.id and (not changed or _changes(network, row) == changed)]
        if rows:
            shown = tuple(_result(table, row, network) for row in rows)
            yield PublishedTable(table.at, table.title, table.unit, table.protocol, table.note, shown)
    for curve in paper.curves.values():
        if curve.network == network.id and not changed:
            last = f"after {curve.points[-1].epoch} {curve.over}s"
            row = PublishedRow(network.title, {last: float(curve.last.held)}, {}, {}, "single run")
            yield PublishedTable(curve.at, "", curve.unit, "", "", (row,))


def _changes(network: Architecture, row: ResultRow) -> dict[str, Any]:
    return {word: value for word, value in row.given.items() if network.given[word] != value}


def _result(table: ResultTable, row: ResultRow, network: Architecture) -> PublishedRow:
    values = {table.columns[column]: value for column, value in row.values.items()}
    spreads = {table.columns[column]: spread for column, spread in row.spreads.items()}
    return PublishedRow(row.method, values, spreads, _changes(network, row), table.how(row), row.note)
