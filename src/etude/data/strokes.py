"""Figures of a few strokes on 28×28 pixels, drawn from a seed: a data set that needs no download.

A figure is a list of points and of the edges between them, in a square from -1 to 1, y downwards. Each image takes its class's figure,
jitters its points, squeezes, turns, scales and shifts it, and draws it with a pen of random width and brightness on a noisy ground.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from etude.data import catalog
from etude.data.idx import Bytes

SIDE = 28

Floats = npt.NDArray[np.float32]
Figure = tuple[list[tuple[float, float]], list[tuple[int, int]]]


class Drawn(NamedTuple):
    """images N×28×28 uint8, 0 is black; labels N int64, the index in the catalog's classes."""

    images: Bytes
    labels: npt.NDArray[np.int64]


def draw(seed: int = 0, train: int = 6_000, test: int = 1_000) -> tuple[Drawn, Drawn]:
    """A training and a test set of that many images, the classes balanced, the order random. The same seed draws the same images."""
    first, second = (np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(2))
    return _draw(first, train), _draw(second, test)


def _draw(rng: np.random.Generator, count: int) -> Drawn:
    figures = _figures()
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(figures))
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for label, figure in enumerate(figures):
        chosen = labels == label
        images[chosen] = _images(rng, figure, int(chosen.sum()))
    return Drawn(images, labels)


def _figures() -> list[Figure]:
    """One figure for each class, in the catalog's order."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    figures: dict[str, Figure] = {
        "horizontal": _path([(-1, 0), (1, 0)]),
        "vertical": _path([(0, -1), (0, 1)]),
        "rising": _path([(-0.8, 0.8), (0.8, -0.8)]),
        "falling": _path([(-0.8, -0.8), (0.8, 0.8)]),
        "cross": ([(-1, 0), (1, 0), (0, -1), (0, 1)], [(0, 1), (2, 3)]),
        "corner": _path([(-0.8, -0.9), (-0.8, 0.8), (0.8, 0.8)]),
        "triangle": _path([(0, -0.9), (0.9, 0.8), (-0.9, 0.8)], closed=True),
        "square": _path([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)], closed=True),
        "circle": _path(circle, closed=True),
        "zigzag": _path([(-0.9, -0.8), (0.9, -0.6), (-0.9, 0.6), (0.9, 0.8)]),
    }
    return [figures[name] for name in catalog.row("strokes").classes]


def _path(points: list[tuple[float, float]], *, closed: bool = False) -> Figure:
    edges = [(at, at + 1) for at in range(len(points) - 1)]
    return points, edges + ([(len(points) - 1, 0)] if closed else [])


def _images(rng: np.random.Generator, figure: Figure, count: int) -> Bytes:
    """`count` images of one figure: count×28×28."""
    points, edges = figure
    distance = _distance(_placed(rng, points, count), edges)
    width = rng.uniform(1.2, 3.2, (count, 1, 1)).astype(np.float32)
    brightness = rng.uniform(0.4, 1.0, (count, 1, 1)).astype(np.float32)
    ink = np.clip(width / 2 + 0.5 - distance, 0, 1) * brightness  # a pixel at the pen's edge is partly covered
    noise = rng.normal(0, 0.08, (count, SIDE, SIDE)).astype(np.float32)
    return np.rint(np.clip(ink + noise, 0, 1) * 255).astype(np.uint8)


def _placed(rng: np.random.Generator, points: list[tuple[float, float]], count: int) -> Floats:
    """The figure's points in pixels, otherwise in each image: count×points×2 (x, y)."""
    jittered = np.asarray(points) + rng.uniform(-0.14, 0.14, (count, len(points), 2))
    squeezed = jittered * rng.uniform(0.75, 1.0, (count, 1, 2))
    turn = rng.uniform(-0.24, 0.24, count)  # radians; up to 14°, so that a line keeps its class
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.einsum("npi,nij->npj", squeezed, np.stack([cos, sin, -sin, cos], 1).reshape(count, 2, 2))
    size = rng.uniform(5.0, 10.0, (count, 1, 1))
    centre = (SIDE - 1) / 2 + rng.uniform(-1, 1, (count, 1, 2)) * (SIDE / 2 - 2 - size)
    placed: Floats = (turned * size + centre).astype(np.float32)
    return placed


def _distance(points: Floats, edges: list[tuple[int, int]]) -> Floats:
    """From each pixel to the nearest edge, in pixels: N×28×28."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    nearest = np.full((len(points), SIDE, SIDE), np.inf, np.float32)
    for start, end in edges:
        ax, ay = points[:, start, :, None, None].swapaxes(0, 1)
        bx, by = points[:, end, :, None, None].swapaxes(0, 1) - points[:, start, :, None, None].swapaxes(0, 1)
        along = np.clip(((x - ax) * bx + (y - ay) * by) / (bx**2 + by**2), 0, 1)
        np.minimum(nearest, np.hypot(x - ax - along * bx, y - ay - along * by), out=nearest)
    return nearest
