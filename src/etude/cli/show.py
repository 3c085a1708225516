"""`etude show`: what a network's paper says of it, or a recipe. Imports torch only to measure."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from etude.cli.parts import outline_table, size
from etude.cli.render import as_json, filled, table
from etude.errors import UsageError, nearest
from etude.models import registry
from etude.values import read_settings

if TYPE_CHECKING:
    from etude.papers import Paper
    from etude.verification.card import Card, Counted, PublishedRow, PublishedTable


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--measure", is_flag=True, help="Build the network and count too; imports torch.")
@click.option("--facts", is_flag=True, help="Every fact of its paper: recipe, figures, what others copied wrongly.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def show(name: str, changes: tuple[str, ...], measure: bool, facts: bool, json_: bool) -> None:
    """Show a network (its paper, claims, departures, counts, published results, layers) or a recipe (its file)."""
    from etude.train import recipe

    if name in registry.names():
        if facts and (changes or measure):
            raise UsageError("--facts shows the facts of the whole paper; leave out --set and --measure")
        _show_facts(name, json_) if facts else _show_network(name, changes, measure, json_)
    elif name in recipe.names() or name.endswith(".toml"):
        click.echo(recipe.copied(name), nl=False)
    else:
        raise UsageError(f"no network or recipe `{name}`; {nearest(name, [*registry.names(), *recipe.names()])}")


def _show_network(name: str, changes: Sequence[str], measure: bool, json_: bool) -> None:
    from etude.explain.outline import outline
    from etude.verification.card import card
    from etude.verification.facts import graph_of

    options = read_settings(changes)
    shown = card(name, **options)
    ours = _measured(name, options) if measure else {}
    if json_:
        as_json(dataclasses.asdict(shown) | {"ours": ours, "train": _recipes_of(name)})
        return
    _print_head(shown, changes)
    _print_counts(shown, ours)
    if not measure:
        command = " ".join(["etude show", name, *(f"--set {change}" for change in changes), "--measure"])
        click.echo(filled(f"{command} builds ours and counts it too", "  "))
    if shown.stages:
        _print_stages(shown)
    _print_results(shown.results)
    click.echo(f"{_table_of(shown)}, for one image of {size(shown.input)}:")
    outline_table(outline(graph_of(name, **options)))


def _measured(name: str, options: dict[str, Any]) -> dict[str, int]:
    from etude.explain.graph import graph
    from etude.verification.exact import without_weights

    ran = graph(without_weights(name, **options), registry.row(name).input)
    return {"parameters": ran.parameters, "MACs": ran.macs}


def _recipes_of(name: str) -> list[str]:
    from etude.train import recipe

    return [known for known in recipe.names() if known.rpartition(".")[0] == name]


def _table_of(shown: "Card") -> str:
    """Whose table the layers are: the paper's, or another's that differs from it."""
    return f"The table of {shown.at}" if shown.kind == "departs" else "The paper's table"


def _print_head(shown: "Card", changes: Sequence[str]) -> None:
    click.echo(f"{' '.join((shown.name, *changes))}: {shown.title}")
    _say("paper", shown.paper)
    _say("where", f"{shown.at} ({shown.kind})")
    _say("claims", f"{shown.operators:,} operators as in the table below: kind, inputs, size, kernel, stride, padding, bias")
    _say("note", shown.note)
    _say("departures", "; ".join(shown.departures) or "none")
    _say("options", ", ".join(f"{word}={in_words(value)}" for word, value in shown.options.items()))
    _say("train", "; ".join(f"etude train {name}" for name in _recipes_of(shown.name)) or "no recipe yet")


def _say(key: str, text: str) -> None:
    if text:
        click.echo(filled(text, f"  {key:<12}"))


def in_words(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, tuple):
        return f"[{','.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _print_counts(shown: "Card", ours: dict[str, int]) -> None:
    columns = ("count", "printed", "where", "exact", *(["ours"] if ours else []))
    rows = [(count.what, _printed(count), count.at, f"{count.exact:,}", *_ours(count, ours)) for count in shown.counts]
    table(columns, rows, right=(1, 3, 4))
    for count in shown.counts:
        _say("note", count.note)


def _ours(count: "Counted", ours: dict[str, int]) -> list[str]:
    return [f"{ours[count.what]:,}" if count.what in ours else ""] if ours else []


def _printed(count: "Counted") -> str:
    if count.printed is None:
        return "–"
    return f"{count.printed / 1e9:,.4g} × 10⁹" if count.what == "MACs" else f"{count.printed / 1e6:,.4g}M"


def _print_stages(shown: "Card") -> None:
    """What the paper prints of the cost of each row, beside the exact counts."""
    columns = ("row", "weights", "printed", "MACs", "printed")
    rows = []
    for stage in shown.stages:
        printed = [f"{number:,.0f}" if number else "–" for number in (stage.printed_parameters, stage.printed_macs)]
        exact = [f"{number:,}" if number else "–" for number in (stage.weights, stage.macs)]
        rows.append((stage.place, exact[0], printed[0], exact[1], printed[1]))
    table(columns, rows, right=(1, 2, 3, 4))
    for stage in shown.stages:
        if stage.note:
            click.echo(filled(f"{stage.place}: {stage.note}", "  "))
    click.echo()


def _print_results(results: "Sequence[PublishedTable]") -> None:
    """Table by table; what all rows of a table share stands above them."""
    click.echo("Published results:" if results else "No published results.")
    for found in results:
        how = found.rows[0].how if all(row.how == found.rows[0].how for row in found.rows) else ""
        click.echo(filled("; ".join(text for text in (f"{found.at}: {found.unit}", how, found.protocol, found.note) if text), "  "))
        digits = max(_digits(value) for row in found.rows for value in row.values.values())
        lines = [line for row in found.rows for line in _result_lines(row, digits, named=not how)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for value, of, method in lines:
            click.echo(filled(method, f"    {value:>{widths[0]}}  {of:<{widths[1]}}  "))
    click.echo()


def _digits(value: float | str) -> int:
    """How many decimals a published number has."""
    return 0 if isinstance(value, str) else len(str(value).partition(".")[2])


def _result_lines(row: "PublishedRow", digits: int, named: bool) -> list[tuple[str, str, str]]:
    lines = []
    for column, value in row.values.items():
        spread = [f"mean {row.spreads[column][0]:.2f} ± {row.spreads[column][1]:.2f}"] if column in row.spreads else []
        about = [row.method, *([row.how] if named else []), *spread, *([row.note] if row.note else [])]
        lines.append((value if isinstance(value, str) else f"{value:.{digits}f}", column, ", ".join(about)))
    return lines


def _show_facts(name: str, json_: bool) -> None:
    from etude.verification.facts import facts_of

    paper, _ = facts_of(name)
    if json_:
        as_json([dataclasses.asdict(fact) for fact in paper.facts.values()])
    else:
        _print_facts(paper)


def _print_facts(paper: "Paper") -> None:
    """Every fact of the paper, with its place and how sure it is."""
    click.echo(filled(f"{paper.title}, {paper.authors}, {paper.year}, {paper.source}", ""))
    for fact in paper.facts.values():
        values = fact.value if isinstance(fact.value, tuple) else (fact.value,)
        value = ", ".join(f"{one:,}" if isinstance(one, int) else str(one) for one in values)
        unit = "" if fact.unit == "words" else f" {fact.unit}"
        reading = f", read as {fact.reading:,}" if fact.reading is not None else ""
        note = f"; {fact.note}" if fact.note else ""
        click.echo(f"  {fact.id}")
        click.echo(filled(f"{value}{unit}{reading} ({fact.at}, {fact.kind}){note}", "      "))
