"""Images that do not fit into memory: decoded and cut whenever they are wanted, by worker processes.

torch's DataLoader has the processes. Which numbers an image gets depends on the ask and on its place there alone, so that they are the
same whatever the number of workers, and when a run was interrupted within an epoch. No decoded image is kept.
"""

import contextlib
import functools
import hashlib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from etude.capacity import processors
from etude.data import declaration, folder, views
from etude.data.batches import Ask, Cut, Place, generator, normalising
from etude.data.colour import Numbers, change
from etude.data.folder import Broken, Files
from etude.data.picture import NoImage, opened, parts
from etude.data.sources import Say
from etude.data.views import Box, Size, Views
from etude.errors import EtudeError, UsageError

SAMPLE = 5_000  # training images that mean, spread and covariance are taken over
MOST_WORKERS = 32
AHEAD = 2  # batches that each worker makes before they are asked for
DIED = "DataLoader worker"  # how torch's messages begin where a worker has died

Given = TypeVar("Given")


class Wanted(NamedTuple):
    """An ask as workers get it, in plain values.

    at      places of the images in the files
    places  of the images in the whole batch
    """

    at: list[int]
    places: range
    random: tuple[int | str, ...] | None
    crops: int
    images: int


class Seen(NamedTuple):
    """What a worker gives back: pixels N×H×W×C uint8; how their colours are changed, N×3×4 for pixels from 0 to 255, or 0×3×4; labels."""

    pixels: Tensor
    colours: Tensor
    labels: Tensor
    images: int


@dataclass(frozen=True, eq=False)
class Viewer(Dataset[Seen | dict[Path, str]]):
    """Makes batches of files: what a worker process has a copy of.

    image       channels, height and width for training
    flip        whether images are mirrored by a coin's toss
    covariance  3×3, of red, green and blue over the training images, where colours are changed
    """

    files: Files
    views: Views
    image: tuple[int, int, int]
    flip: bool
    covariance: Numbers | None = None

    def __getitem__(self, wanted: Wanted) -> Seen | dict[Path, str]:
        """A batch, or the files that cannot be read, and why."""
        looks, broken = list[tuple[Tensor, Tensor]](), dict[Path, str]()
        for place, at in zip(wanted.places, wanted.at, strict=True):
            path, chance = self.files.path(at), Random(repr((*wanted.random, place))) if wanted.random else None
            try:
                looks.append(self.look(path, chance, wanted.crops))
            except NoImage as error:
                broken[path] = error.why
        if broken:
            return broken
        pixels, colours = map(torch.cat, zip(*looks, strict=True))
        return Seen(pixels, colours, torch.from_numpy(self.files.labels[wanted.at]), wanted.images)

    def look(self, path: Path, chance: Random | None, crops: int) -> tuple[Tensor, Tensor]:
        """Parts of an image, and how their colours are changed. Raises NoImage."""
        side = self.image[1] if chance else self.views.test[1]
        cuts = parts(path, functools.partial(self.boxes, chance, crops), side, self.image[0])
        if not (chance and self.views.colour and self.covariance is not None):
            return torch.from_numpy(cuts), torch.empty(0, 3, 4)
        changed = change(self.views.colour, self.covariance, cuts.mean((0, 1, 2)) / 255, chance)
        return torch.from_numpy(cuts), torch.from_numpy(changed * [1, 1, 1, 255]).float()[None]

    def boxes(self, chance: Random | None, crops: int, size: Size) -> list[Box]:
        """Which parts of an image of that size are cut out."""
        if chance:
            return [self.views.drawn(size, self.image[1], self.flip, chance)]
        return views.ten(size, *self.views.test) if crops > 1 else [views.middle(size, *self.views.test)]

    def seen(self, asks: Iterable[Ask], workers: int) -> Iterator[Seen]:
        """The batches that are asked for, in that order. Raises Broken."""
        for each in by_workers(self, (wanted(ask) for ask in asks), workers):
            if isinstance(each, dict):
                raise Broken(each, self.files.root)
            yield each


def wanted(ask: Ask) -> Wanted:
    return Wanted(ask.at.tolist(), range(ask.place.images)[ask.place.part], ask.random, ask.crops, ask.place.images)


class Stream:
    """Batches of a viewer's images, as `Batches` are those of images in memory.

    mean, std, device   as there
    """

    at_once = 50

    def __init__(
        self, viewer: Viewer, mean: tuple[float, ...] | Tensor, std: tuple[float, ...], *, workers: int, device: torch.device
    ) -> None:
        self.viewer, self.workers, self.device = viewer, workers, device
        self.normalised = normalising(mean, std, device, torch.channels_last)

    def __len__(self) -> int:
        return len(self.viewer.files)

    def cuts(self, asks: Iterable[Ask]) -> Iterator[Cut]:
        for seen in self.viewer.seen(asks, self.workers):
            x = seen.pixels.to(self.device).float()
            if len(seen.colours):
                x = coloured(x, seen.colours.to(self.device))
            yield Cut(self.normalised(x.permute(0, 3, 1, 2)), seen.labels.to(self.device), seen.images)


def coloured(pixels: Tensor, colours: Tensor) -> Tensor:
    """Every pixel of N×H×W×3 multiplied by its image's matrix and moved, as `colour.change` gives them, N×3×4."""
    flat, matrix, offset = pixels.flatten(1, 2), colours[:, :, :3], colours[:, None, :, 3]
    return torch.baddbmm(offset, flat, matrix.transpose(1, 2)).view_as(pixels)


# ── A folder ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Sample(NamedTuple):
    """Of pixels from 0 to 1: their mean at every place, C×H×W; their mean, C; their covariance, C×C."""

    image: Tensor
    mean: Tensor
    covariance: Tensor


@dataclass(frozen=True, eq=False)
class Streamed:
    """A training and a test set of files, as `Dataset` is one in memory."""

    name: str
    classes: tuple[str, ...]
    train: Files
    test: Files
    source: str
    reencoded: str
    viewer: Viewer
    workers: int
    say: Say

    @property
    def channels(self) -> int:
        return self.viewer.image[0]

    def digest(self) -> str:
        """A digest of the names, sizes and labels of all files; their pixels are not looked at."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            for at, label in enumerate(part.labels):
                digest.update(f"{part.name(at)}\0{part.path(at).stat().st_size}\0{label}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over a sample of training images, as they are cut for training."""
        return tuple(self.sample.mean.tolist()), tuple(self.sample.covariance.diag().clamp(min=0).sqrt().tolist())

    def mean_image(self) -> Tensor:
        """The mean at every place over the same sample, C×H×W float64 to six places."""
        return self.sample.image.round(decimals=6)

    @functools.cached_property
    def sample(self) -> Sample:
        """Of some training images, the same ones for every network and seed. The sums are whole numbers, so their order is free."""
        chosen = torch.randperm(len(self.train), generator=generator("sample"))[:SAMPLE]
        self.say(f"mean, spread and covariance of {len(chosen):,} training images as they are cut, always the same ones")
        channels, side, _ = self.viewer.image
        pixels, products = torch.zeros(side, side, channels, dtype=torch.int64), torch.zeros(channels, channels, dtype=torch.float64)
        asks = (Ask(index, Place(len(index), slice(None)), ("sample", at)) for at, index in enumerate(chosen.split(Stream.at_once)))
        for seen in self.viewer.seen(asks, self.workers):
            flat = seen.pixels.flatten(0, 2).double()
            pixels += seen.pixels.sum(0, dtype=torch.int64)
            products += flat.T @ flat
        image = pixels.double().permute(2, 0, 1) / 255 / len(chosen)
        mean = pixels.sum((0, 1)).double() / 255 / len(chosen) / side**2
        return Sample(image, mean, products / 255**2 / len(chosen) / side**2 - mean.outer(mean))


def load(
    root: Path, image: tuple[int, int, int], look: Views, flip: bool, workers: int, say: Say, split: int | None, leave_out: bool
) -> Streamed:
    """A folder of images, none of which is decoded yet.

    leave_out  whether all files are read once, to leave out those that cannot be; otherwise one of these ends a run when it is met
    Raises     as `folder.read`
    """
    if not root.is_dir():
        expected = "expected FOLDER/train/CLASS/* and test/, or FOLDER/CLASS/*"
        raise UsageError(
            f"{root}: no folder of images, {expected}; add --data FOLDER, or train by a recipe without views, and without --stream"
        )
    classes, train, test = folder.scan(root, split)
    if leave_out and (broken := broken_in((train, test), workers, say)):
        train, test = (Files.of(root, part) for part in folder.without(Broken(broken, root), classes, train, test, say=say))
    for remark in folder.remarks(root, classes, train, test):
        say(remark)
    reencoded = declaration.declared(root)
    source = f"images in {root}" + (f", {reencoded} in another encoding" if reencoded else "")
    return Streamed(root.resolve().name, classes, train, test, source, reencoded, Viewer(train, look, image, flip), workers, say)


@dataclass(frozen=True, eq=False)
class Reader(Dataset[dict[Path, str]]):
    """Reads files whole, and gives those that cannot be read."""

    files: Files

    def __getitem__(self, places: range) -> dict[Path, str]:
        broken = {}
        for path in map(self.files.path, places):
            try:
                opened(path)
            except NoImage as error:
                broken[path] = error.why
        return broken


def broken_in(several: Iterable[Files], workers: int, say: Say) -> dict[Path, str]:
    """The files that cannot be read, and why."""
    found = dict[Path, str]()
    for files in several:
        say(f"reading {len(files):,} images once, to see which cannot be")
        blocks = (range(at, min(at + Stream.at_once, len(files))) for at in range(0, len(files), Stream.at_once))
        for broken in by_workers(Reader(files), blocks, workers):
            found |= broken
    return found


# ── Workers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def workers_of(shares: int) -> int:
    """How many processes decode for one of so many that share this machine: one a processor, none where there is but one."""
    each = min(processors() // shares, MOST_WORKERS)
    return each if each > 1 else 0


def by_workers(dataset: Dataset[Given], asks: Iterable[Any], workers: int) -> Iterator[Given]:
    """What the data set gives for every ask, in that order, made by so many processes of one thread, or by this one where there are none.

    They end with whoever reads this: when it is closed, at once; when that process is killed, within five seconds. Ctrl-C is not theirs.
    """
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=asks,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        collate_fn=as_it_is,
        worker_init_fn=deaf,
        generator=torch.Generator(),  # of which it draws a number; of torch's own, that would change what comes behind it
    )
    with interrupts_held():
        batches = iter(loader)
    try:
        yield from batches
    finally:
        del batches  # and its processes, though a traceback may still hold this frame


def as_it_is(given: Given) -> Given:
    return given


def deaf(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait, here until the block has ended, in a process that is started in it for ever; Windows cannot."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def guarded(advice: Callable[[], str]) -> Iterator[None]:
    """Add that advice where a file is broken, or a worker has died, as one does that the system kills for its memory."""
    try:
        yield
    except Broken as error:
        raise EtudeError(f"{error}; {advice()}") from error
    except RuntimeError as error:
        if not str(error).startswith(DIED):
            raise
        raise EtudeError(f"a process that decodes images has died ({str(error).splitlines()[0].strip()}); {advice()}") from error
