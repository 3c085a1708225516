"""Which part of a photograph a network sees: drawn by chance as the papers say, the middle, or ten. Numbers only, no image and no torch."""

import math
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

Size = tuple[int, int]  # width and height, as Pillow has them
TRIES = 10  # to draw a part that fits into the image, before the middle is taken


class Box(NamedTuple):
    """A part of an image, in its pixels, and whether it is mirrored then."""

    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False


@dataclass(frozen=True, kw_only=True)
class Views:
    """How the images of a folder are seen that are decoded whenever they are wanted.

    scale         in training, the shorter side is scaled to so many pixels, drawn from this range, and a square of the network's side is
                  cut out anywhere
    area, aspect  or a part is cut out whose share of the area is drawn from the one range, and whose width by height, or height by width,
                  from the other, and is scaled to that square
    colour        "AlexNet": each image gets one red, green and blue more or less, the covariance of these over the training images times
                  three normal numbers; "fb.resnet.torch": before that, brightness, contrast and saturation are changed, in any order
    test          in a test, the shorter side is scaled to the first, and a square of the second is cut out of the middle
    """

    scale: tuple[int, int] | None = None
    area: tuple[float, float] | None = None
    aspect: tuple[float, float] | None = None
    colour: Literal["AlexNet", "fb.resnet.torch"] | None = None
    test: tuple[int, int]

    def __post_init__(self) -> None:
        if (self.scale is None) == (self.area is None) or (self.area is None) != (self.aspect is None):
            raise ValueError("views: expected either `scale`, or `area` and `aspect`")
        for key in ("scale", "area", "aspect"):
            low, high = getattr(self, key) or (1, 1)
            if not 0 < low <= high or (key == "area" and high > 1):
                raise ValueError(f"views.{key} = [{low:g}, {high:g}], expected a range above 0{', up to 1' if key == 'area' else ''}")
        if not 1 <= self.test[1] <= self.test[0]:
            raise ValueError(f"views.test = {list(self.test)}, expected the shorter side, and that of a square that fits into it")

    def drawn(self, size: Size, side: int, flip: bool, chance: Random) -> Box:
        """A part of an image for training, scaled to side × side."""
        if self.scale:
            shorter = chance.randint(*self.scale)
            across, down = scaled(size, shorter)
            box = square(size, shorter, side, chance.randint(0, across - side), chance.randint(0, down - side))
        else:
            box = self.part(size, side, chance)
        return box._replace(mirrored=flip and chance.random() < 0.5)

    def part(self, size: Size, side: int, chance: Random) -> Box:
        """By area and aspect, as fb.resnet.torch does: what does not fit into the image is drawn again."""
        assert self.area and self.aspect
        for _ in range(TRIES):
            area, aspect = chance.uniform(*self.area) * size[0] * size[1], chance.uniform(*self.aspect)
            width, height = (max(1, round(math.sqrt(area * ratio))) for ratio in (aspect, 1 / aspect))
            if chance.random() < 0.5:
                width, height = height, width
            if width <= size[0] and height <= size[1]:
                left, top = chance.randint(0, size[0] - width), chance.randint(0, size[1] - height)
                return Box(left, top, left + width, top + height)
        return middle(size, side, side)


def middle(size: Size, shorter: int, side: int) -> Box:
    """The square in the middle of an image whose shorter side is scaled to that."""
    across, down = scaled(size, shorter)
    return square(size, shorter, side, (across - side) // 2, (down - side) // 2)


def ten(size: Size, shorter: int, side: int) -> list[Box]:
    """The squares in the four corners and in the middle of such an image, and the same mirrored."""
    across, down = scaled(size, shorter)
    corners = [square(size, shorter, side, left, top) for top in (0, down - side) for left in (0, across - side)]
    plain = [*corners, middle(size, shorter, side)]
    return plain + [box._replace(mirrored=True) for box in plain]


def scaled(size: Size, shorter: int) -> Size:
    """The size of an image when its shorter side is scaled to that."""
    least = min(size)
    return round(size[0] * shorter / least), round(size[1] * shorter / least)


def square(size: Size, shorter: int, side: int, left: int, top: int) -> Box:
    """A square at that place of the scaled image, as a part of the image as it is."""
    across, down = scaled(size, shorter)
    x, y = size[0] / across, size[1] / down
    return Box(left * x, top * y, min((left + side) * x, size[0]), min((top + side) * y, size[1]))
