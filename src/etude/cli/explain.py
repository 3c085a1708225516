"""`etude explain`: the shapes that flow through a network, and what it costs."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from etude.cli.options import input_shape, options_of
from etude.cli.parts import outline_table, shortened, size
from etude.cli.render import as_json, table
from etude.errors import UsageError

if TYPE_CHECKING:
    from etude.explain.cost import Cost, StageCost
    from etude.explain.nodes import Shape
    from etude.explain.outline import Part

MIB = 2**20
UNKNOWN = "–"
LONGEST = 24  # characters of a stage's name


@click.command()
@click.argument("target", metavar="NAME|FILE.py:CALLABLE")
@click.option("--shapes", is_flag=True, help="What flows through it, stage by stage, branch by branch.")
@click.option("--cost", "cost_", is_flag=True, help="Parameters, MACs, FLOPs and the memory of activations, stage by stage.")
@click.option("--set", "changes", multiple=True, metavar="OPTION=VALUE", help="Build it with this option; may be repeated.")
@click.option("--input", "image", metavar="CxHxW", help="Channels, height and width of an image; a registered network has its own.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def explain(target: str, shapes: bool, cost_: bool, changes: tuple[str, ...], image: str | None, json_: bool) -> None:
    """Explain a network: one of Etude's by NAME, or a class or function of your own.

    Without --shapes or --cost it shows both. Code in FILE.py is run, as by python FILE.py.
    """
    given, options = input_shape(image), options_of(changes)

    from etude.explain.cost import cost_of
    from etude.explain.graph import graph
    from etude.explain.outline import outline
    from etude.explain.targets import opened

    with opened(target, options) as (module, shape):
        shape = given or shape
        if shape is None:
            raise UsageError(f"{target}: which images does it take? Add --input CxHxW, such as --input 3x32x32")
        measured = graph(module, shape)
        cost = cost_of(module, measured) if cost_ or not shapes else None
    parts = outline(measured) if shapes or not cost_ else ()
    if json_:
        as_json({"network": target, **_plain(shape, parts, cost)})
        return
    click.echo(f"{' '.join((target, *changes))}, one image of {size(shape)}")
    if parts:
        outline_table(parts)
    if cost:
        _cost_table(cost)


def _plain(shape: "Shape", parts: "Sequence[Part]", cost: "Cost | None") -> dict[str, Any]:
    found: dict[str, Any] = {"input": shape}
    if parts:
        found["shapes"] = [dataclasses.asdict(part) for part in parts]
    if cost:
        found["cost"] = dataclasses.asdict(cost) | {"flops": cost.flops}
    return found


def _cost_table(cost: "Cost") -> None:
    rows = [_cells(stage, cost) for stage in cost.stages]
    heads = any(stage.side for stage in cost.stages)
    columns = ("stage", "output", "parameters", "%", "MACs, millions", "%", "activations, MiB", "%")
    table(columns, rows, right=(2, 3, 4, 5, 6, 7))
    why = "kept for the backward pass: the column above" if cost.kept is not None else f"unknown, for training raises {cost.unknown}"
    lines = [
        ("parameters", f"{cost.parameters:,}", f"{cost.parameters * 4 / MIB:,.1f} MiB as float32"),
        ("MACs", f"{cost.macs:,}", "multiply-adds of convolutions and matrix products"),
        ("FLOPs", f"{cost.flops:,}", "two for each multiply-add"),
        ("activations, training", UNKNOWN if cost.kept is None else f"{cost.kept / MIB:,.1f} MiB", why),
        ("activations, inference", f"{cost.peak / MIB:,.1f} MiB", "alive at once, each freed after its last use"),
    ]
    width = max(len(number) for _, number, _ in lines)
    for name, number, what in lines:
        click.echo(f"  {name:<23}{number:>{width}}  {what}")
    if heads:
        click.echo("  * not on the way to the logits: its MACs are not in the sum, its parameters and activations are")


def _cells(stage: "StageCost", cost: "Cost") -> tuple[str, ...]:
    shares = [share(stage.parameters, cost.parameters), "" if stage.side else share(stage.macs, cost.macs)]
    kept = (UNKNOWN, "") if stage.kept is None else (f"{stage.kept / MIB:,.2f}", share(stage.kept, cost.kept or 0))
    name = shortened(stage.place, LONGEST) + " *" * stage.side
    return (name, size(stage.output), f"{stage.parameters:,}", shares[0], f"{stage.macs / 1e6:,.2f}", shares[1], *kept)


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""
