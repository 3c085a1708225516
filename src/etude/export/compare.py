"""Whether what was exported computes what the module does: on random images, and on real ones."""

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from etude.data import catalog, folder, picture
from etude.errors import EtudeError

LIMIT = 1e-4  # the largest difference in float32, of the largest logit
TIMES = 4  # the module's own distance from float64, where a network makes more of rounding than LIMIT
MOST = 1e-2  # of that distance: above it float32 tells nothing
BATCHES = (1, 2, 5)  # of random images, so that the size of the batch is seen to be free
REAL = 4
PHOTOGRAPH = "sample_data/grace_hopper.jpg"  # which every matplotlib brings

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Compared:
    """By what, on which images, and the largest difference there, of the largest logit.

    rounding  where that is above LIMIT: how far the module itself is from float64
    """

    by: str
    images: str
    difference: float
    rounding: float | None = None

    def __str__(self) -> str:
        found = f"compared by {self.by} on {self.images}: the largest difference is {self.difference:.1e} of the largest logit"
        return found if self.rounding is None else f"{found}; float32 itself is {self.rounding:.1e} from float64 there"


@torch.no_grad()
def compared(module: nn.Module, answer: Answer, by: str, batches: list[Tensor], images: str) -> Compared:
    """Hold what `by` computes against the module, batch after batch. Raises EtudeError where it is something else.

    A network of many layers can make so much of a rounding that two right ways to compute it in float32 lie further apart than LIMIT.
    Then float64 decides: `by` may be TIMES as far from it as the module is. What is wrong is seen there too, since the layers behind it
    make as much of an error as of a rounding.
    """
    found = max(difference(answer(batch), module(batch)) for batch in batches)
    if found <= LIMIT:
        return Compared(by, images, found)
    exact = copy.deepcopy(module).double()
    wanted = [exact(batch.double()) for batch in batches]
    theirs, own = (
        max(difference(one(batch).double(), logits) for batch, logits in zip(batches, wanted, strict=True)) for one in (answer, module)
    )
    if own > MOST:
        raise EtudeError(f"float32 tells nothing of {by}: the module's own logits are {own:.1e} of the largest away from float64")
    if theirs > (limit := max(LIMIT, TIMES * own)):
        raise EtudeError(
            f"{by} computes something else: its logits are {theirs:.1e} of the largest away from float64, expected {limit:.1g} at most; "
            f"the module's own in float32 are {own:.1e} away"
        )
    return Compared(by, images, found, own)


def difference(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, of the largest number that is wanted; infinite where shapes differ, or where a number is none."""
    if found.shape != wanted.shape or not found.isfinite().all():
        return float("inf")
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=torch.finfo(wanted.dtype).tiny))


def random_pixels(image: tuple[int, int, int], count: int) -> Tensor:
    return torch.rand(count, *image, generator=torch.Generator().manual_seed(0))


def real_pixels(image: tuple[int, int, int], data: str) -> tuple[Tensor, str]:
    """Some images with pixels from 0 to 1, and where they come from: the first of a run's own folder, or else parts of a photograph."""
    import matplotlib  # which takes a while, and nothing else here needs

    own = first_of(Path(data)) if data and data not in catalog.names() else []
    words = f"{len(own)} of {Path(data).name}" if own else f"{REAL} parts of a photograph"
    drawn = map(picture.opened, own) if own else parts_of(picture.opened(Path(matplotlib.get_data_path()) / PHOTOGRAPH))
    return torch.stack([torch.tensor(picture.fitted(each, image)) for each in drawn]).float() / 255, words


def first_of(root: Path) -> list[Path]:
    """The first training images of a folder; none where it is gone, or has changed."""
    with contextlib.suppress(EtudeError):
        return [path for path, _ in itertools.islice(folder.scan(root)[1], REAL)]
    return []


def parts_of(drawn: Image.Image) -> Iterator[Image.Image]:
    """Its four quarters."""
    width, height = drawn.width // 2, drawn.height // 2
    for left in (0, width):
        for top in (0, height):
            yield drawn.crop((left, top, left + width, top + height))
