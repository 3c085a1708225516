"""All there is to say of a registered network before anything runs: its paper, counts, published results, departures. No torch.

What `Card` holds is what `etude show --json` gives; `card_view` puts it into words and tables.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etude.models import registry
from etude.papers import Architecture, Count, Paper, ResultRow, ResultTable, Stage, Step
from etude.values import write_settings
from etude.verification.facts import count_of, facts_of, graph_of, steps_of
from etude.views.facts import source_of
from etude.views.shapes import outlined
from etude.views.view import Block, Remarks, Table, Terms, Text, View, called, command
from etude.wording import UNKNOWN, number, size


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
        paper=source_of(paper),
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


# ── The view ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def card_view(name: str, options: Mapping[str, Any], measure: bool = False) -> View:
    """The card of a network built with `options`, and its layers; with `measure`, which imports torch, ours is counted too."""
    shown = card(name, **options)
    ours = measured(name, options) if measure else {}
    hint = () if measure else (Remarks((f"{command('show', name, options, '--measure')} builds ours and counts it too",)),)
    title = Text(f"{called(name, options)}: {shown.title}")
    parts = (title, head(shown, options), *counts(shown, ours), *hint, *published(shown, options))
    plain = dataclasses.asdict(shown) | {"ours": ours, "train": recipes_of(name), "weights": weights_of(name, options)}
    return View(f"What the paper says of {name}", command("show", name, options), parts, plain)


def published(shown: Card, options: Mapping[str, Any]) -> Iterator[Block]:
    """What the paper prints of every row, its results, and its table."""
    from etude.explain.outline import outline

    yield from printed_stages(shown)
    yield Text("Published results:" if shown.results else "No published results.")
    yield from map(result_table, shown.results)
    table = f"The table of {shown.at}" if shown.kind == "departs" else "The paper's table"
    yield Text(f"{table}, for one image of {size(shown.input)}:")
    yield from outlined(outline(graph_of(shown.name, **options)))


def recipes_of(name: str) -> tuple[str, ...]:
    from etude.train import recipe

    parts = (known.rpartition(".") for known in recipe.names())
    return tuple(f"{network}.{file}" for network, _, file in parts if network == name and file not in recipe.OWN_IMAGES)


def weights_of(name: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What Etude brings trained of a network, which it does without options."""
    from etude.train import kept

    return () if options else tuple(known for known in kept.names() if known.rpartition(".")[0] == name)


def measured(name: str, options: Mapping[str, Any]) -> dict[str, int]:
    """Parameters and multiply-adds of ours, built and run."""
    from etude.explain.graph import graph
    from etude.verification.exact import without_weights

    ran = graph(without_weights(name, **options), registry.row(name).input)
    return {"parameters": ran.parameters, "MACs": ran.macs}


def head(shown: Card, options: Mapping[str, Any]) -> Terms:
    rows = (
        ("paper", shown.paper),
        ("where", f"{shown.at} ({shown.kind})"),
        ("claims", f"{shown.operators:,} operators as in the table below: kind, inputs, size, kernel, stride, padding, bias"),
        ("note", shown.note),
        ("departures", "; ".join(shown.departures) or "none"),
        ("options", ", ".join(write_settings(shown.options))),
        ("train", "; ".join(f"etude train {recipe}" for recipe in recipes_of(shown.name)) or "no recipe yet"),
        ("weights", ", ".join(weights_of(shown.name, options))),
    )
    return Terms(tuple((key, text) for key, text in rows if text))


def counts(shown: Card, ours: Mapping[str, int]) -> tuple[Block, ...]:
    """Printed, exact, and ours where it was counted."""
    columns = ("count", "printed", "where", "exact", *(["ours"] if ours else []))
    rows = []
    for count in shown.counts:
        counted = [number(ours.get(count.what))] if ours else []
        rows.append((count.what, printed(count), count.at, f"{count.exact:,}", *counted))
    notes = tuple(("note", count.note) for count in shown.counts if count.note)
    return Table(columns, tuple(rows), (1, 3, 4)), *([Terms(notes)] if notes else [])


def printed(count: Counted) -> str:
    """As papers print it: 25.6M, 3.8 × 10⁹."""
    if count.printed is None:
        return UNKNOWN
    return f"{count.printed / 1e9:,.4g} × 10⁹" if count.what == "MACs" else f"{count.printed / 1e6:,.4g}M"


def printed_stages(shown: Card) -> Iterator[Block]:
    """What the paper prints of the cost of each row, beside the exact counts."""
    if not shown.stages:
        return
    rows = []
    for stage in shown.stages:
        costs = (stage.weights, stage.printed_parameters, stage.macs, stage.printed_macs)
        rows.append((stage.place, *(f"{cost:,.0f}" if cost else UNKNOWN for cost in costs)))
    yield Table(("row", "weights", "printed", "MACs", "printed"), tuple(rows), (1, 2, 3, 4))
    yield Remarks(tuple(f"{stage.place}: {stage.note}" for stage in shown.stages if stage.note))


def result_table(found: PublishedTable) -> Table:
    """Value by value; what all rows share stands above them."""
    how = found.rows[0].how if all(row.how == found.rows[0].how for row in found.rows) else ""
    about = "; ".join(text for text in (f"{found.at}: {found.unit}", how, found.protocol, found.note) if text)
    digits = max(decimals(value) for row in found.rows for value in row.values.values())
    rows = tuple(line for row in found.rows for line in result_rows(row, digits, named=not how))
    return Table((), rows, (0,), about)


def decimals(value: float | str) -> int:
    """How many decimals a published number has."""
    return 0 if isinstance(value, str) else len(str(value).partition(".")[2])


def result_rows(row: PublishedRow, digits: int, named: bool) -> Iterator[tuple[str, str, str]]:
    """The published value, what it is of, and by which method; how many runs stand behind it where it is `named`."""
    for column, value in row.values.items():
        spread = "mean {:.2f} ± {:.2f}".format(*row.spreads[column]) if column in row.spreads else ""
        about = [text for text in (row.method, row.how if named else "", spread, row.note) if text]
        yield value if isinstance(value, str) else f"{value:.{digits}f}", column, ", ".join(about)
