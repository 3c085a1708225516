"""`etude explain --depth`: how the first layer's gradient depends on depth, initialisation and normalisation."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etude.cli.render import as_json, say, table
from etude.errors import UsageError
from etude.files import write_text
from etude.report.explained import Section, Table, explained_page

if TYPE_CHECKING:
    from etude.explain.depth import DepthComparison

IMAGES, SEEDS = 64, (0, 1, 2)
STARTS = {"he": "He", "default": "torch's default"}


def explain(depths: str, source: str, html: Path | None, json_: bool) -> None:
    """Measure, and show it as a table, as JSON or as a page with the picture."""
    wanted = [int(part) if part.strip().isdecimal() else 0 for part in depths.split(",")]

    from etude.explain.depth import depth_comparison
    from etude.explain.images import real_images

    if not all(wanted):
        raise UsageError(f"--depth {depths}: expected depths such as 8,20,56,110")
    found = depth_comparison(wanted, *real_images((3, 32, 32), IMAGES, source), seeds=SEEDS)
    if html:
        from etude.report.gradients import depth_figure

        command = f"etude explain --depth {depths}"
        section = Section("Gradients over depth", command, (words(found),), (rows(found),), (depth_figure(found),))
        write_text(html, explained_page("Gradients over depth", [section]))
        say(f"{html}: gradients over depth")
    elif json_:
        as_json(dataclasses.asdict(found))
    else:
        click.echo(words(found))
        shown = rows(found)
        table(shown.columns, shown.rows, right=shown.right)


def words(found: "DepthComparison") -> str:
    return (
        f"Norm of the gradient of the first layer's weights at initialisation, on {found.images} images; mean ± standard deviation over "
        f"{len(found.seeds)} seeds. No cell for {found.omitted}."
    )


def rows(found: "DepthComparison") -> Table:
    """A row for each kind of network, a column for each depth."""
    depths = sorted({cell.depth for cell in found.cells})
    kinds = list(dict.fromkeys((cell.start, cell.norm, cell.network) for cell in found.cells))
    cells = {(cell.start, cell.norm, cell.network, cell.depth): cell for cell in found.cells}
    lines = []
    for start, norm, network in kinds:
        norms = [cells[start, norm, network, depth].first for depth in depths]
        lines.append((STARTS[start], "yes" if norm else "no", network, *(f"{one.mean:.2g} ± {one.spread:.1g}" for one in norms)))
    return Table(("initialisation", "BN", "network", *map(str, depths)), tuple(lines), tuple(range(3, 3 + len(depths))))
