"""The lecture's worked example of a 1×1 convolution and its cost comparison, computed. No torch."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from etude.errors import UsageError, nearest
from etude.explain.conv1x1 import CostComparison, WorkedExample, cost_comparison, worked_example
from etude.views.view import Drawing, Table, Text, View, command

EXAMPLE = ("maps", "weights")
COSTS = ("in_channels", "reduce", "out_channels", "kernel", "height", "width")
WHAT = "One filter: a weight for every input channel, and at every pixel their weighted sum (slides 5–11)."


def conv1x1_view(options: Mapping[str, Any]) -> View:
    """Both, with the numbers of the slides or with others: `weights=[1,0,-1]`, `kernel=3`."""
    for name in options:
        if name not in (*EXAMPLE, *COSTS):
            raise UsageError(f"conv1x1 has no `{name}`; {nearest(name, (*EXAMPLE, *COSTS))}")
    example = worked_example(**{name: value for name, value in options.items() if name in EXAMPLE})
    costs = cost_comparison(**{name: value for name, value in options.items() if name in COSTS})
    slip = "" if set(options) & set(COSTS) else slide_slip()
    said = (Text(slip),) if slip else ()
    parts = (Text(WHAT), Drawing(picture(example)), cost_table(costs), *said)
    plain = {"example": example, "costs": dataclasses.asdict(costs) | {"ratio": costs.ratio}, "slip": slip}
    return View("The 1×1 convolution", command("explain", "conv1x1", options), parts, plain)


def picture(example: WorkedExample) -> str:
    """The maps with their weights, side by side, and the sum."""
    columns = [[" ".join(f"{pixel:g}" for pixel in row) for row in one] for one in (*example.maps, example.sum)]
    signs = [*(f" · {weight:g} + " for weight in example.weights[:-1]), f" · {example.weights[-1]:g} = ", ""]
    lines = []
    for number in range(len(columns[0])):
        middle = number == len(columns[0]) // 2
        cells = (f"{column[number]:<{max(map(len, column))}}" for column in columns)
        lines.append("  " + "".join(cell + (sign if middle else " " * len(sign)) for cell, sign in zip(cells, signs, strict=True)).rstrip())
    return "\n".join(lines)


def cost_table(costs: CostComparison) -> Table:
    """Convolution by convolution, and the two ways."""
    lines = []
    for called, way in (("directly", costs.direct), ("behind a 1×1", costs.reduced)):
        for number, one in enumerate(way.convolutions):
            what = f"{one.kernel}×{one.kernel}, {one.in_channels} → {one.out_channels} channels, {one.height}×{one.width}"
            lines.append((called if number == 0 else "", what, f"{one.multiplications:,}", f"{one.parameters:,}"))
    both = (f"the second way takes {100 * costs.ratio:.2f} % of the first", costs.reduced.multiplications, costs.reduced.parameters)
    lines.append(("together", both[0], f"{both[1]:,}", f"{both[2]:,}"))
    return Table(("way", "convolution", "multiplications", "parameters"), tuple(lines), (2, 3))


def slide_slip() -> str:
    """Where the slide prints another number than its own formula gives."""
    from etude.papers import load

    fact = load("lecture").fact("conv_cost_reduced")
    return f"{fact.at} prints {fact.value:,}; {fact.note}"
