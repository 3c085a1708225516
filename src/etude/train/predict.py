"""Using what was trained: image files in, class names and probabilities out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from etude.data.folder import images_in
from etude.data.idx import Bytes
from etude.data.picture import fitted, opened, parts, shown
from etude.data.views import middle
from etude.errors import EtudeError
from etude.explain.occlusion import Occlusion, occlusion
from etude.train import machine
from etude.train.trained import TrainedNetwork

BATCH = 16  # as `etude bench` times it
GREY_MODES = ("1", "L", "LA")

Answer = Callable[[Tensor], Tensor]


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
        return {"image": shown(self.image), "top": guesses, "changes": list(self.changes)}


@dataclass(frozen=True)
class Errors:
    """How often a network is wrong about images whose classes are known.

    changes  what had to be done to images, and to how many
    """

    images: int
    wrong: int
    changes: Mapping[str, int]

    @property
    def rate(self) -> float:
        return self.wrong / self.images


@dataclass(frozen=True, eq=False)
class Reason:
    """A prediction, the pixels that it was made of (C×H×W uint8), and what becomes of its first class when they are hidden."""

    prediction: Prediction
    pixels: Bytes
    occlusion: Occlusion


def predict(
    trained: TrainedNetwork, images: Sequence[Path], *, device: str | None = None, answer: Answer | None = None
) -> list[Prediction]:
    """Classify image files, or every image of a folder among `images`.

    answer  gives the logits of up to `BATCH` images, N×C×H×W bytes; by default the network itself, on the device
    Raises EtudeError for a missing file, or one that is no image.
    """
    return list(predictions(trained, every_file(images), device, answer))


def error_rate(
    trained: TrainedNetwork, folders: Mapping[str, Sequence[Path]], *, device: str | None = None, answer: Answer | None = None
) -> Errors:
    """Classify the image files of every class. Raises EtudeError for a class that the network does not know, and as `predict`."""
    if unknown := [name for name in folders if name not in trained.classes]:
        known = ", ".join(trained.classes)
        raise EtudeError(f"{unknown[0]}: a folder of images, but no class of {trained.network}, which knows {known}")
    wrong, changes = 0, Counter[str]()
    for name, files in folders.items():
        for prediction in predictions(trained, files, device, answer):
            wrong += prediction.top(1)[0][0] != name
            changes.update(prediction.changes)
    return Errors(sum(map(len, folders.values())), wrong, changes)


@torch.no_grad()
def predictions(trained: TrainedNetwork, files: Iterable[Path], device: str | None, answer: Answer | None) -> Iterator[Prediction]:
    """Image by image, computed a batch at a time."""
    where = torch.device("cpu") if answer else machine.choose_device(device)
    answer = answer or trained.to(where)
    files = list(files)
    for start in range(0, len(files), BATCH):
        paths = files[start : start + BATCH]
        made = [seen_by(trained, path) for path in paths]
        logits = answer(torch.from_numpy(np.stack([pixels for pixels, _ in made])).to(where))
        for path, likely, (_, changes) in zip(paths, logits.softmax(dim=1).tolist(), made, strict=True):
            yield Prediction(path, trained.classes, tuple(likely), tuple(changes))


def reasons(trained: TrainedNetwork, images: Sequence[Path], *, device: str | None = None) -> list[Reason]:
    """Classify image files and find where in them the answers come from. Raises as `predict`."""
    where = machine.choose_device(device)
    found = []
    for prediction in predict(trained, images, device=device):
        pixels, _ = seen_by(trained, prediction.image)
        output = int(np.argmax(prediction.probabilities))
        seen = occlusion(trained, torch.tensor(pixels, device=where) / 255, output, trained.mean)
        found.append(Reason(prediction, pixels, seen))
    return found


def every_file(images: Sequence[Path]) -> Iterable[Path]:
    for path in images:
        if path.is_dir():
            yield from images_in(path)
        elif path.is_file():
            yield path
        else:
            what = "a pipe or a device" if path.exists() else "no such file"  # the former can be read without end
            raise EtudeError(f"{path}: {what}; name an image, or a folder of images")


def seen_by(trained: TrainedNetwork, path: Path) -> tuple[Bytes, list[str]]:
    """An image file as those were that the network was tested on, C×H×W uint8, and what had to be changed."""
    if trained.shorter is None:
        return prepared(opened(path), trained.image, dark=trained.dark)
    shorter, (channels, side, _) = trained.shorter, trained.image
    (pixels,) = parts(path, lambda size: [middle(size, shorter, side)], side, channels)
    return pixels.transpose(2, 0, 1), [f"scaled to {shorter} on its shorter side, and the middle {side}×{side} of it taken"]


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
