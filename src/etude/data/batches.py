"""Batches cut from tensors in memory: no worker processes, and no state that a resumed run would have to restore."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from etude.data.dataset import Split


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator of its own for this key, e.g. (seed, epoch, "augment"): the same key, the same numbers; another, others."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order in which to see `count` images in that epoch: a permutation, int64. It depends on the arguments only."""
    return torch.randperm(count, generator=generator(seed, epoch, "order"))


class Place(NamedTuple):
    """Which images of a batch are at hand. Random numbers are drawn for all `images` of it, so that each has its own in any part."""

    images: int
    part: slice


class Ask(NamedTuple):
    """A batch that is wanted: the images at these places of a source (int64), those at hand of it.

    random  what the random numbers of training depend on, such as (seed, step); None for images as they are tested
    crops   of each image, one behind the other: 1, or the 10 that a stream has
    """

    at: Tensor
    place: Place
    random: tuple[int | str, ...] | None = None
    crops: int = 1


class Cut(NamedTuple):
    """A batch: x B×C×H×W float32, normalised, B being images times crops; y int64 of the images; how many the whole batch has."""

    x: Tensor
    y: Tensor
    images: int


class Source(Protocol):
    """Images of which batches are cut, in memory (`Batches`) or from files (`Stream`).

    at_once  so many crops make a batch of a test
    """

    at_once: int

    def __len__(self) -> int:
        """The number of images."""

    def cuts(self, asks: Iterable[Ask]) -> Iterator[Cut]:
        """The batches that are asked for, in that order. The asks may be read ahead."""


class Batches:
    """Cuts batches out of a split.

    mean, std      one number per channel, a pixel running from 0 to 1, as `Dataset.statistics` gives them; a channel that is
                   constant (std 0) comes out as zeros. The mean may be an image instead, as `Dataset.mean_image` gives it
    device         where the batches go; the split stays where it is
    memory_format  torch.channels_last or torch.contiguous_format
    augment        applied to the uint8 images of an ask in training, if any
    Raises         ValueError if there is not one mean and std for each channel
    """

    at_once = 500

    def __init__(
        self,
        split: Split,
        mean: tuple[float, ...] | Tensor,
        std: tuple[float, ...],
        *,
        device: torch.device | str = "cpu",
        memory_format: torch.memory_format = torch.contiguous_format,
        augment: Callable[[Ask, Tensor], Tensor] | None = None,
    ):
        channels = split.images.shape[1]
        if not channels == len(mean) == len(std):
            raise ValueError(f"Batches: {len(mean)} means and {len(std)} deviations for images of {channels} channels")
        self.split = split
        self.device = torch.device(device)
        self.memory_format = memory_format
        self.augment = augment
        self.normalised = normalising(mean, std, self.device, memory_format)

    def __len__(self) -> int:
        return len(self.split)

    def cuts(self, asks: Iterable[Ask]) -> Iterator[Cut]:
        for ask in asks:
            augment = partial(self.augment, ask) if self.augment and ask.random else None
            yield Cut(*self.cut(ask.at.to(self.split.labels.device), augment), ask.place.images)

    def cut(self, index: Tensor, augment: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The images and labels at `index` (int64): x B×C×H×W float32, normalised, and y B int64.

        augment  applied to the B×C×H×W uint8 images before they are normalised, so that zero padding is black
        """
        images = self.split.images.index_select(0, index)
        if augment is not None:
            images = augment(images)
        images = _laid_out(images.to(self.device), self.memory_format)
        return self.normalised(images.float()), self.split.labels.index_select(0, index).to(self.device)


def normalising(
    mean: Sequence[float] | Tensor, std: Sequence[float], device: torch.device, memory_format: torch.memory_format
) -> Callable[[Tensor], Tensor]:
    """What makes (x / 255 - mean) / std of float images, in their place: one multiplication and one addition."""
    scale = per_channel([1 / deviation if deviation else 1.0 for deviation in std])
    factor = (scale / 255).float().to(device)
    shift = (-per_channel(mean) * scale).float().to(device, memory_format=memory_format)
    return lambda images: images.mul_(factor).add_(shift)


def per_channel(values: Sequence[float] | Tensor) -> Tensor:
    """Numbers to compute with images, float64: one a channel, or an image, to 1×C×1×1 or 1×C×H×W."""
    numbers = torch.as_tensor(values, dtype=torch.float64)
    return numbers[None] if numbers.dim() == 3 else numbers.view(1, -1, 1, 1)


def _laid_out(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """With one channel both formats are the same bytes; only the strides tell torch which kernels to take."""
    count, channels, height, width = images.shape
    if memory_format == torch.channels_last and channels == 1:
        return images.reshape(count, height, width, 1).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=memory_format)


def whole(images: Tensor) -> Place:
    """The place of images that are a batch of their own."""
    return Place(len(images), slice(None))


def random_shift(images: Tensor, pixels: int, random: torch.Generator, place: Place | None = None) -> Tensor:
    """Each image moved by its own whole number of pixels, from -pixels to pixels in either direction, zeros moving in. B×C×H×W."""
    count, part = place or whole(images)
    height, width = images.shape[2:]
    windows = F.pad(images, (pixels,) * 4).unfold(2, height, 1).unfold(3, width, 1)  # B×C×(2p+1)×(2p+1)×H×W, a view
    down, right = torch.randint(0, 2 * pixels + 1, (2, count), generator=random)[:, part]
    return windows[torch.arange(len(images)), :, down, right]


def random_part(images: Tensor, least: float, random: torch.Generator, place: Place | None = None) -> Tensor:
    """Of each image a part of its own, `least` of its area or more, scaled to the size of the whole. B×C×H×W uint8."""
    count, part = place or whole(images)
    side = (least + (1 - least) * torch.rand(count, 1, generator=random)).sqrt()  # as a share of the image's
    centre = (2 * torch.rand(count, 2, generator=random) - 1) * (1 - side)
    places = torch.cat([torch.diag_embed(side.expand(-1, 2)), centre[:, :, None]], dim=2)[part].to(images.device)
    grid = F.affine_grid(places, list(images.shape), align_corners=False)
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False).round().to(torch.uint8)


def random_flip(images: Tensor, random: torch.Generator, place: Place | None = None) -> Tensor:
    """Each image mirrored left to right or not, by the toss of a coin. B×C×H×W."""
    count, part = place or whole(images)
    tossed = torch.rand(count, 1, 1, 1, generator=random)[part] < 0.5
    return torch.where(tossed.to(images.device), images.flip(3), images)
