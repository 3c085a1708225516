"""Using what was trained: image files in, class names and probabilities out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from etude.data.folder import fitted, images_in, opened
from etude.data.idx import Bytes
from etude.errors import EtudeError
from etude.train import machine
from etude.train.trained import load

GREY_MODES = ("1", "L", "LA")


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image.

    classes, probabilities   side by side, in the order of the data set
    changes                  what had to be done to the image: "made grey", "inverted", "resized from 640×480 to 28×28"
    """

    image: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    changes: tuple[str, ...]

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` likeliest classes, the likeliest first."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:count]

    def as_dict(self, count: int) -> dict[str, Any]:
        guesses = [{"class": name, "probability": probability} for name, probability in self.top(count)]
        return {"image": str(self.image), "top": guesses, "changes": list(self.changes)}


@torch.no_grad()
def predict(folder: Path, images: Sequence[Path], *, device: str | None = None) -> list[Prediction]:
    """Classify image files, or every image of a folder among `images`, by the last checkpoint of the run in `folder`.

    Raises EtudeError for a folder that is no run, a damaged checkpoint, a missing file, or one that is no image.
    """
    trained = load(folder)
    where, dark = machine.choose_device(device), trained.mean.mean().item() < 0.5
    trained = trained.to(where)
    predictions = []
    for path in every_file(images):
        pixels, changes = prepared(opened(path), trained.image, dark=dark)
        logits = trained(torch.from_numpy(pixels.copy())[None].to(where))
        predictions.append(Prediction(path, trained.classes, tuple(logits.softmax(dim=1)[0].tolist()), tuple(changes)))
    return predictions


def every_file(images: Sequence[Path]) -> Iterable[Path]:
    for path in images:
        if path.is_dir():
            yield from images_in(path)
        elif path.exists():
            yield path
        else:
            raise EtudeError(f"{path}: no such file")


def prepared(drawn: Image.Image, image: tuple[int, int, int], *, dark: bool) -> tuple[Bytes, list[str]]:
    """The image as C×H×W uint8, like those the network was trained on, and what had to be changed.

    dark  whether the training images are dark on the whole, as white digits on black are. A grey image whose edge is light
          is then black on white, as pen on paper is, and is inverted.
    """
    channels, height, width = image
    changes = []
    if channels == 1 and drawn.mode not in GREY_MODES and not drawn.mode.startswith("I"):
        changes.append("made grey")
    if drawn.size != (width, height):
        changes.append(f"resized from {drawn.width}×{drawn.height} to {width}×{height}")
    pixels = fitted(drawn, image)
    if channels == 1 and dark and np.median(edge(pixels[0])) > 127:
        pixels = 255 - pixels
        changes.append("inverted: it is dark on light, the training images are light on dark")
    return pixels, changes


def edge(pixels: Bytes) -> Bytes:
    """The outermost pixels of a height×width image."""
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
