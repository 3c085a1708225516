"""Images side by side, as SVG that stands alone: the pixels are within it."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from PIL import Image

from etude.data.idx import Bytes
from etude.report.figures import GREY
from etude.views.view import Photo
from etude.wording import shortened

SIDE, GAP, LINE, COLUMNS = 132, 14, 16, 6
LONGEST = 22  # characters below an image
FOR, AGAINST = (194, 65, 12), (37, 99, 235)  # the colours of heat, as in figures
STRONGEST = 0.75  # of what a colour covers


def photos_figure(photos: Sequence[Photo]) -> str:
    """Each at the same size, with its text below."""
    columns = min(COLUMNS, len(photos))
    rows = -(-len(photos) // columns)
    width, height = columns * (SIDE + GAP) - GAP, rows * (SIDE + LINE + GAP)
    drawn = "".join(
        one(photo, index % columns * (SIDE + GAP), index // columns * (SIDE + LINE + GAP)) for index, photo in enumerate(photos)
    )
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    return f"{start}{drawn}</svg>"


def one(photo: Photo, x: int, y: int) -> str:
    text = escape(shortened(photo.text, LONGEST))
    layers = [image_of(coloured(photo.pixels), x, y)]
    if photo.heat is not None:
        layers.append(image_of(heated(photo.heat), x, y))
    below = f'<text x="{x}" y="{y + SIDE + LINE - 3}" font-family="sans-serif" font-size="11" fill="{GREY}">{text}</text>'
    return "".join((*layers, f"<g><title>{escape(photo.text)}</title>{below}</g>"))


def image_of(image: Image.Image, x: int, y: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    data = base64.b64encode(buffer.getvalue()).decode()
    look = ' style="image-rendering:pixelated"' if max(image.size) < SIDE else ""
    return f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}"{look} href="data:image/png;base64,{data}"/>'


def coloured(pixels: Bytes) -> Image.Image:
    """C×H×W, grey or RGB."""
    return Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))


def heated(heat: npt.NDArray[np.float64]) -> Image.Image:
    """One colour for what is above 0, another for what is below, the stronger the less can be seen through it."""
    colours = np.where((heat >= 0)[:, :, None], FOR, AGAINST)
    cover = 255 * STRONGEST * np.abs(heat).clip(0, 1)
    return Image.fromarray(np.concatenate([colours, cover[:, :, None]], axis=2).astype(np.uint8), "RGBA")
