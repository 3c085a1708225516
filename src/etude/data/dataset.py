"""A data set in memory, as tensors."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from etude.data import catalog, cifar, declaration, folder, idx, sources, strokes, svhn
from etude.errors import UsageError, nearest
from etude.files import at_home

READERS = {"idx": idx.read_set, "cifar": cifar.read_set, "svhn": svhn.read_set}


@dataclass(frozen=True, eq=False)
class Split:
    """images N×C×H×W uint8, 0 is black; labels N int64; the names of their files, where they have any."""

    images: Tensor
    labels: Tensor
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, index: Tensor) -> "Split":
        """Those at the places in `index`."""
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set over the same classes.

    source     where they come from, in words
    reencoded  the set of the catalog whose images these are in another encoding, "" if none
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    source: str
    reencoded: str = ""

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    def digest(self) -> str:
        """A digest of every image and label, by which a run knows its data again."""
        digest = hashlib.sha256()
        for tensor in (self.train.images, self.train.labels, self.test.images, self.test.labels):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()[:16]

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and population standard deviation of each channel of the training images, a pixel running from 0 to 1."""
        pairs = [_mean_std(self.train.images[:, channel]) for channel in range(self.train.images.shape[1])]
        return tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)

    def mean_image(self) -> Tensor:
        """The mean of each single value over the training images, C×H×W float64 to six places, a pixel running from 0 to 1."""
        sums = torch.stack([part.sum(0, dtype=torch.int64) for part in self.train.images.split(10_000)]).sum(0)
        return (sums.double() / 255 / len(self.train)).round(decimals=6)


def _mean_std(pixels: Tensor) -> tuple[float, float]:
    """By way of the histogram, which has no rounding, so the numbers do not depend on an order of summation."""
    counts = torch.bincount(pixels.flatten(), minlength=256).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts @ values) / counts.sum()
    variance = (counts @ (values - mean) ** 2) / counts.sum()
    return float(mean), float(variance.sqrt())


def load(
    name_or_folder: str | Path,
    *,
    image: tuple[int, int, int] = (1, 28, 28),
    data_dir: str | Path | None = None,
    say: Callable[[str], None] = sources.silent,
    split: int | None = None,
    leave_out: bool = False,
) -> Dataset:
    """A data set of the catalog by its name, fetched if need be, or a folder of images (a folder called `mnist` is `./mnist`).

    image     (C, H, W) to which the images of a folder are brought; a set of the catalog has its own and must agree
    data_dir  the user's folder with the official files, as for `sources.fetch`
    say       called with one line for each step that takes time, and for what a person should know of a folder
    split, leave_out  of a folder, as for `folder.read`
    Raises    UsageError for an unknown name or the wrong image shape; EtudeError as `sources.fetch` and `folder.read` do
    """
    name = str(name_or_folder)
    if not name:
        raise UsageError("which images? Add --data FOLDER, with one sub-folder of images a class")
    if name in catalog.names():
        return _from_catalog(catalog.row(name), image, data_dir, say)
    path = at_home(name)
    if path.is_dir():
        return _from_folder(path, image, say, split, leave_out)
    if path.is_file():
        raise UsageError(f"{name}: is a file, expected a folder of images with one sub-folder a class; unpack an archive first")
    raise UsageError(f"no data set and no folder of images {name!r}; {nearest(name, catalog.names())}")


def _from_catalog(row: catalog.Row, image: tuple[int, int, int], data_dir: str | Path | None, say: Callable[[str], None]) -> Dataset:
    if image != row.image:
        raise UsageError(f"{row.name} has images of {_shape(row.image)}, not {_shape(image)}; choose a model for {_shape(row.image)}")
    if row.name == "strokes":
        drawn = strokes.draw(seed=0, train=row.train, test=row.test)
        train, test = (_split(part.images[:, None], part.labels) for part in drawn)
        return Dataset(row.name, row.classes, train, test, "drawn from seed 0")
    where, form = sources.fetched(row, data_dir, say)
    train, test = (_split(*part) for part in READERS[form.reader]([where / file.name for file in form.files]))
    return Dataset(row.name, row.classes, train, test, f"the official files, their digests checked, in {where}")


def _from_folder(path: Path, image: tuple[int, int, int], say: Callable[[str], None], split: int | None, leave_out: bool) -> Dataset:
    classes, train, test = folder.read(path, image, say, split, leave_out)
    reencoded = declaration.declared(path)
    source = f"images in {path}" + (f", {reencoded} in another encoding" if reencoded else "")
    return Dataset(path.resolve().name, classes, _split(*train), _split(*test), source, reencoded)


def _split(images: npt.NDArray[Any], labels: npt.NDArray[Any], names: tuple[str, ...] = ()) -> Split:
    return Split(torch.from_numpy(images), torch.from_numpy(labels).long(), names)


def _shape(image: tuple[int, int, int]) -> str:
    return "×".join(map(str, image))
