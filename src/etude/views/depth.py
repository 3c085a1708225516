"""How the first layer's gradient depends on depth, initialisation and normalisation."""

from typing import TYPE_CHECKING

from etude.errors import UsageError
from etude.views.view import DepthPicture, Table, Text, View
from etude.wording import spread

if TYPE_CHECKING:
    from etude.explain.depth import DepthComparison

IMAGES, SEEDS = 64, (0, 1, 2)
STARTS = {"he": "He", "default": "torch's default"}


def depth_view(depths: str, source: str) -> View:
    """The comparison for depths such as `8,20,56,110`, measured on images of `source`."""
    wanted = [int(part) if part.strip().isdecimal() else 0 for part in depths.split(",")]
    if not all(wanted):
        raise UsageError(f"--depth {depths}: expected depths such as 8,20,56,110")
    from etude.explain.depth import depth_comparison
    from etude.explain.images import real_images

    found = depth_comparison(wanted, *real_images((3, 32, 32), IMAGES, source), seeds=SEEDS)
    return view_of_depths(found, f"etude explain --depth {depths}")


def view_of_depths(found: "DepthComparison", command: str = "") -> View:
    return View("Gradients over depth", command, (Text(depth_words(found)), depth_rows(found), DepthPicture(found)), found)


def depth_words(found: "DepthComparison") -> str:
    return (
        f"Norm of the gradient of the first layer's weights at initialisation, on {found.images} images; mean ± standard deviation over "
        f"{len(found.seeds)} seeds. No cell for {found.omitted}."
    )


def depth_rows(found: "DepthComparison") -> Table:
    """A row for each kind of network, a column for each depth."""
    depths = sorted({cell.depth for cell in found.cells})
    kinds = list(dict.fromkeys((cell.start, cell.norm, cell.network) for cell in found.cells))
    cells = {(cell.start, cell.norm, cell.network, cell.depth): cell for cell in found.cells}
    rows = []
    for start, norm, network in kinds:
        norms = [cells[start, norm, network, depth].first for depth in depths]
        rows.append((STARTS[start], "yes" if norm else "no", network, *(spread(one.mean, one.spread) for one in norms)))
    return Table(("initialisation", "BN", "network", *map(str, depths)), tuple(rows), tuple(range(3, 3 + len(depths))))
