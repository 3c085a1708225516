"""`etude show`: what a network's paper says of it, or a recipe. Imports torch only to measure."""

import dataclasses
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from etude.cli.options import options_of
from etude.cli.parts import WIDTH, outline_table, size
from etude.cli.render import as_json, table
from etude.errors import UsageError, nearest
from etude.models import registry

if TYPE_CHECKING:
    from etude.papers import Count, Network, Paper


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="The network with this option; may be repeated.")
@click.option("--measure", is_flag=True, help="Build the network and count too; imports torch.")
@click.option("--facts", is_flag=True, help="Every fact of its paper: recipe, figures, what others copied wrongly.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def show(name: str, changes: tuple[str, ...], measure: bool, facts: bool, json_: bool) -> None:
    """Show a network (its paper, claims, departures, counts, published results, layers) or a recipe (its file)."""
    from etude.train import recipe
    from etude.verify.facts import facts_of

    if name in registry.names() and facts:
        paper = facts_of(name)[0]
        as_json([dataclasses.asdict(fact) for fact in paper.facts.values()]) if json_ else _print_facts(paper)
    elif name in registry.names():
        network = _shown(name, options_of(changes), measure)
        as_json(network) if json_ else _print(name, changes, network)
    elif name in recipe.names() or name.endswith(".toml"):
        recipe.read(recipe.find(name))
        click.echo(recipe.find(name).read_text(encoding="utf-8"), nl=False)
    else:
        raise UsageError(f"no network or recipe `{name}`; {nearest(name, [*registry.names(), *recipe.names()])}")


def _shown(name: str, options: dict[str, Any], measure: bool) -> dict[str, Any]:
    """Everything there is to say of a network, as plain values."""
    from etude.verify.facts import facts_of, steps_of

    paper, network = facts_of(name)
    row, steps = registry.row(name), steps_of(name, **options)
    exact = {"parameters": sum(step.parameters for step in steps), "MACs": sum(step.macs for step in steps if not step.side)}
    return {
        "network": name,
        "title": network.title,
        "paper": f"{paper.title}, {paper.authors}, {paper.year}, {paper.source}",
        "where": f"{network.at} ({network.kind})",
        "claims": f"{len(steps):,} operators as in the paper's table: kind, inputs, size, kernel, stride, padding, bias",
        "note": network.note,
        "departures": list(row.departures),
        "input": row.input,
        "options": {**network.given, **options},
        "counts": list(_counts(paper, network, options, exact, _measured(name, options) if measure else {})),
        "results": list(_results(paper, network)),
        "train": [f"etude train {known}" for known in _recipes_of(name)],
    }


def _recipes_of(name: str) -> list[str]:
    from etude.train import recipe

    return [known for known in recipe.names() if recipe.read(recipe.find(known)).model == name]


def _measured(name: str, options: dict[str, Any]) -> dict[str, int]:
    from etude.explain.graph import graph
    from etude.verify.exact import without_weights

    ran = graph(without_weights(name, **options), registry.row(name).input)
    return {"parameters": ran.parameters, "MACs": ran.macs}


def _counts(
    paper: "Paper", network: "Network", options: dict[str, Any], exact: dict[str, int], ours: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Parameters and MACs: as printed and where, exact by the paper's table, and ours where they were measured."""
    words = {**network.given, **options}
    count = next((count for count in paper.counts_of(network.id) if {**network.given, **count.given} == words), None)
    for what, number in exact.items():
        printed = _printed(count, what)
        found = {"what": what, "printed": printed, "at": count.at if count and printed else "", "exact": number}
        yield found | ({"ours": ours[what]} if ours else {}) | {"note": count.note if count and what == "parameters" else ""}


def _printed(count: "Count | None", what: str) -> float | None:
    if count is None:
        return None
    return count.printed_parameters if what == "parameters" else count.printed_macs


def _results(paper: "Paper", network: "Network") -> Iterator[dict[str, Any]]:
    """The published results of the network, with the words in which it differed there."""
    for found, row in paper.results_of(network.id):
        given = {word: value for word, value in row.given.items() if network.given[word] != value}
        shared = {
            "method": row.method,
            "with": given,
            "unit": found.unit,
            "protocol": found.protocol,
            "how": found.how(row),
            "at": found.at,
        }
        for column, value in row.values.items():
            spread = dict(zip(("mean", "std"), row.spreads.get(column, ()), strict=False))
            yield {"value": value, "of": found.columns[column], **spread, **shared, "note": row.note}
    for curve in paper.curves.values():
        if curve.network == network.id:
            at = {"of": f"after {curve.points[-1].epoch} epochs", "how": "single run", "at": curve.at, "note": "", "protocol": ""}
            yield {"value": curve.last.value, "unit": curve.last.unit, "method": network.title, "with": {}, **at}


def _print(name: str, changes: Sequence[str], shown: dict[str, Any]) -> None:
    from etude.explain.outline import outline
    from etude.verify.facts import graph_of

    click.echo(f"{' '.join((name, *changes))}: {shown['title']}")
    _say("paper", shown["paper"])
    _say("where", shown["where"])
    _say("claims", shown["claims"])
    _say("note", shown["note"])
    _say("departures", "; ".join(shown["departures"]) or "none")
    _say("options", ", ".join(f"{word}={_word(value)}" for word, value in shown["options"].items()))
    _say("train", "; ".join(shown["train"]) or "no recipe yet")
    _print_counts(name, changes, shown["counts"])
    _print_results(shown["results"])
    click.echo(f"The paper's table, for one image of {size(shown['input'])}:")
    outline_table(outline(graph_of(name, **options_of(changes))))


def _say(key: str, text: str) -> None:
    if text:
        click.echo(_filled(text, f"  {key:<12}"))


def _filled(text: str, begin: str) -> str:
    """The text at most WIDTH wide, every line indented as far as the first."""
    return textwrap.fill(text, WIDTH, initial_indent=begin, subsequent_indent=" " * max(len(begin), 4), break_on_hyphens=False)


def _word(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)


def _print_counts(name: str, changes: Sequence[str], counts: Sequence[dict[str, Any]]) -> None:
    rows = [
        (count["what"], _printed_as(count), count["at"], f"{count['exact']:,}", *([f"{count['ours']:,}"] if "ours" in count else []))
        for count in counts
    ]
    measured = "ours" in counts[0]
    table(("count", "printed", "where", "exact", *(["ours"] if measured else [])), rows, right=(1, 3, 4))
    for count in counts:
        _say("note", count["note"])
    if not measured:
        click.echo(f"  etude show {' '.join([name, *(f'--set {change}' for change in changes)])} --measure builds ours and counts it too")


def _printed_as(count: dict[str, Any]) -> str:
    if count["printed"] is None:
        return "–"
    return f"{count['printed'] / 1e6:,.4g}M" if count["what"] == "parameters" else f"{count['printed'] / 1e9:,.4g} × 10⁹"


def _print_results(results: Sequence[dict[str, Any]]) -> None:
    """Table by table; what all rows of a table share stands above them."""
    click.echo("Published results:" if results else "No published results.")
    for (at, unit, protocol), group in itertools.groupby(results, key=lambda result: (result["at"], result["unit"], result["protocol"])):
        found = list(group)
        shared = found[0]["how"] if all(result["how"] == found[0]["how"] for result in found) else ""
        click.echo(_filled("; ".join(text for text in (f"{at}: {unit}", shared, protocol) if text), "  "))
        rows = [_result_cells(result, shared) for result in found]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for value, of, method in rows:
            click.echo(_filled(method, f"    {value:>{widths[0]}}  {of:<{widths[1]}}  "))
    click.echo()


def _result_cells(result: dict[str, Any], shared: str) -> tuple[str, str, str]:
    value = result["value"] if isinstance(result["value"], str) else f"{result['value']:.2f}"
    how = [] if shared else [result["how"]]
    spread = [f"mean {result['mean']:.2f} ± {result['std']:.2f}"] if "mean" in result else []
    return value, result["of"], ", ".join([result["method"], *how, *spread])


def _print_facts(paper: "Paper") -> None:
    """Every fact of the paper, with its place and how sure it is."""
    click.echo(_filled(f"{paper.title}, {paper.authors}, {paper.year}, {paper.source}", ""))
    for fact in paper.facts.values():
        value = (
            ", ".join(map(str, fact.value))
            if isinstance(fact.value, tuple)
            else f"{fact.value:,}"
            if isinstance(fact.value, int)
            else str(fact.value)
        )
        unit = "" if fact.unit == "words" else f" {fact.unit}"
        reading = f", read as {fact.reading}" if fact.reading is not None else ""
        note = f"; {fact.note}" if fact.note else ""
        click.echo(f"  {fact.id}")
        click.echo(_filled(f"{value}{unit}{reading} ({fact.at}, {fact.kind}){note}", "      "))
