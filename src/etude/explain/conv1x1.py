"""The 1×1 convolution by hand: its worked example, and what it saves in front of a larger kernel (lecture, slides 5–13). No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from etude.errors import UsageError

Map = tuple[tuple[float, ...], ...]

# Slides 5–11: three channels of 3×3, one filter.
MAPS = (((1, 2, 3), (4, 5, 6), (7, 8, 9)), ((1, 4, 7), (2, 5, 8), (3, 6, 9)), ((9, 8, 7), (6, 5, 4), (3, 2, 1)))
WEIGHTS = (0.5, 0.3, 0.2)
LARGEST = 1_000_000  # number or size; what is made of larger ones may be too large to be written


@dataclass(frozen=True)
class WorkedExample:
    """One filter of a 1×1 convolution: a weight for every input channel, and the sum of what it makes of them.

    maps      the input channels, each H rows of W numbers
    weights   as many
    products  every channel times its weight
    sum       the output channel
    """

    maps: tuple[Map, ...]
    weights: tuple[float, ...]
    products: tuple[Map, ...]
    sum: Map


def worked_example(maps: Sequence[Sequence[Sequence[float]]] = MAPS, weights: Sequence[float] = WEIGHTS) -> WorkedExample:
    """The lecture's example of slides 5–11, or another: C maps of H×W and C weights.

    Raises UsageError for what is no number, and where the maps differ in size, are no rectangles, or are not as many as the weights.
    """
    for name, given, levels, example in (("maps", maps, 3, "[[[1,2],[3,4]]]"), ("weights", weights, 1, "[0.5,0.3,0.2]")):
        if not are_numbers(given, levels):
            raise UsageError(f"{name} = {given!r}, expected numbers up to {LARGEST:,} in lists, such as {example}")
    if not maps or len(maps) != len(weights):
        raise UsageError(f"{len(maps)} maps and {len(weights)} weights: a 1×1 filter has one weight for every input channel")
    first, *others = [[len(row) for row in one] for one in maps]
    if len(set(first)) != 1 or first[0] == 0 or any(rows != first for rows in others):
        raise UsageError("the maps differ in size: every channel has the same number of rows, and every row the same of columns")
    channels = tuple(tuple(tuple(row) for row in one) for one in maps)
    products = tuple(tuple(tuple(weight * pixel for pixel in row) for row in one) for one, weight in zip(channels, weights, strict=True))
    total = tuple(tuple(sum(pixels) for pixels in zip(*rows, strict=True)) for rows in zip(*products, strict=True))
    return WorkedExample(channels, tuple(weights), products, total)


def are_numbers(given: object, levels: int) -> bool:
    """Whether these are numbers that can be computed with, in lists so many levels deep."""
    if levels:
        return isinstance(given, Sequence) and not isinstance(given, str) and all(are_numbers(item, levels - 1) for item in given)
    return isinstance(given, (int, float)) and not isinstance(given, bool) and abs(given) <= LARGEST


@dataclass(frozen=True)
class Convolution:
    """A convolution that keeps the size of its H×W map ("same" padding, stride 1); biases are left aside, as on the slides."""

    kernel: int
    in_channels: int
    out_channels: int
    height: int
    width: int

    @property
    def parameters(self) -> int:
        return self.kernel**2 * self.in_channels * self.out_channels

    @property
    def multiplications(self) -> int:
        """For one image: every weight at every pixel."""
        return self.parameters * self.height * self.width


@dataclass(frozen=True)
class Way:
    """Convolutions one after the other."""

    convolutions: tuple[Convolution, ...]

    @property
    def parameters(self) -> int:
        return sum(one.parameters for one in self.convolutions)

    @property
    def multiplications(self) -> int:
        return sum(one.multiplications for one in self.convolutions)


@dataclass(frozen=True)
class CostComparison:
    """A large kernel on all channels, and the same kernel behind a 1×1 convolution that leaves fewer."""

    direct: Way
    reduced: Way

    @property
    def ratio(self) -> float:
        """The multiplications of the reduced way as a share of the direct one's."""
        return self.reduced.multiplications / self.direct.multiplications


def cost_comparison(
    in_channels: int = 192, reduce: int = 16, out_channels: int = 32, kernel: int = 5, height: int = 28, width: int = 28
) -> CostComparison:
    """Slides 12 and 13, or other sizes: in_channels×height×width to out_channels, directly and by way of `reduce` channels.

    Raises UsageError for what is no size, and for an even kernel, which cannot keep the size by the same padding on both sides.
    """
    sizes = {"in_channels": in_channels, "reduce": reduce, "out_channels": out_channels, "kernel": kernel, "height": height, "width": width}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= LARGEST:
            raise UsageError(f"{name} = {size!r}, expected a whole number from 1 to {LARGEST:,}")
    if kernel % 2 == 0:
        raise UsageError(f"kernel = {kernel}, expected an odd number such as {kernel + 1}, so that the map keeps its size")
    direct = Convolution(kernel, in_channels, out_channels, height, width)
    squeeze = Convolution(1, in_channels, reduce, height, width)
    return CostComparison(Way((direct,)), Way((squeeze, Convolution(kernel, reduce, out_channels, height, width))))
