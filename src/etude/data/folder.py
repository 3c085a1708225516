"""A folder of images as a data set.

    FOLDER/train/CLASS/*  and  FOLDER/test/CLASS/*      the split is yours; ImageNet's val/ is its test set
    FOLDER/CLASS/*                                      a fifth of each class is held out as test set: drawn by a seed and the names of the
                                                        files, or without a seed every fifth image in the order of names

PNG, JPEG, BMP, TIFF and WebP count as images, whatever the case of their ending; hidden and other files are ignored. An image is turned as
its EXIF says, laid on white where it is transparent, made grey or RGB, and scaled to the wanted height and width, whatever its proportions.
"""

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from etude.capacity import free
from etude.data import catalog, declaration, kept
from etude.data.idx import Bytes
from etude.data.picture import NoImage, picture, shown
from etude.data.sources import Say, silent
from etude.errors import EtudeError, UsageError
from etude.files import is_text

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# images of other kinds, which are not read; that is said
OTHERS = (".heic", ".heif", ".avif", ".gif", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw", ".jp2", ".jxl")
HELD_OUT = 5  # one in so many
OUT_OF_BALANCE = 2  # a class with so many times the images of another
MOST_NAMED = 5  # files in a message
SHARE = 0.9  # of the memory that is free, that images may take
PARTS = ("train", "test", "val", "valid", "validation", "dev")  # what a folder may be that is no class

Labelled = list[tuple[Path, int]]


@dataclass(frozen=True, eq=False)
class Files:
    """Image files below a folder, with their classes. A million names are a text of some 40 MB, which a process shares with its children.

    text, ends  the names one after the other, as bytes, and where each ends
    labels      N int64, the index in the sorted class names
    """

    root: Path
    text: bytes
    ends: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    @classmethod
    def of(cls, root: Path, labelled: Iterable[tuple[Path, int]]) -> "Files":
        """Of paths below `root`, which are not kept."""
        text, ends, labels, folders = bytearray(), array("q"), array("q"), dict[str, bytes]()
        for path, label in labelled:
            folder, name = os.path.split(path)
            if folder not in folders:
                folders[folder] = os.fsencode(path.parent.relative_to(root))  # which takes long for each of a million
            text += os.path.join(folders[folder], os.fsencode(name))  # noqa: PTH118
            ends.append(len(text))
            labels.append(label)
        return cls(root, bytes(text), np.array(ends, np.int64), np.array(labels, np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[Path, int]]:
        return ((self.path(at), int(label)) for at, label in enumerate(self.labels))

    def name(self, at: int) -> str:
        """The path below `root`."""
        return os.fsdecode(self.text[self.ends[at - 1] if at else 0 : self.ends[at]])

    def path(self, at: int) -> Path:
        return self.root / self.name(at)

    def chosen(self, index: "Tensor") -> "Files":
        """Those at the places in `index`."""
        return Files.of(self.root, ((self.path(at), int(self.labels[at])) for at in index.tolist()))


class Pictures(NamedTuple):
    """images N×C×H×W uint8; labels N int64, the index in the sorted class names; names of the files, below the folder."""

    images: Bytes
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]


class Broken(EtudeError):
    """Files that are no readable images."""

    def __init__(self, files: dict[Path, str], root: Path) -> None:
        (first, why), *others = sorted(files.items())
        names = ", ".join(shown(path.relative_to(root)) for path, _ in others[:MOST_NAMED])
        more = f", and {len(others)} more ({names}{', …' if len(others) > MOST_NAMED else ''})" if others else ""
        self.files, self.root, self.what = files, root, f"{shown(first)}: {why}{more}"
        super().__init__(f"{self.what}; replace or remove {'them' if others else 'it'}, or train with --leave-out-broken")


def read(
    root: Path, image: tuple[int, int, int], say: Say = silent, split: int | None = None, leave_out: bool = False
) -> tuple[tuple[str, ...], Pictures, Pictures]:
    """Class names, training set and test set of the folder, each image brought to (C, H, W), C being 1 or 3.

    split      the seed by which images are held out where the folder has no split; None is by the order of names
    leave_out  whether files that cannot be read are left out, and said, rather than refused
    say        called too with what is odd: classes out of balance, images of a kind that is not read
    Raises EtudeError, naming the folder or file, if the folder has not one of the two layouts, lacks images, holds an unreadable one, or
    is not what it declares.
    """
    if image[0] not in (1, 3):
        raise UsageError(f"images of a folder have 1 (grey) or 3 (RGB) channels, not {image[0]}")
    classes, train_files, test_files = scan(root, split)
    train, test = [*train_files], [*test_files]
    _check_fits(root, len(train + test), image)
    try:
        images = _images(root, train + test, image, say)
    except Broken as broken:
        if not leave_out:
            raise
        train, test = without(broken, classes, train, test, say=say)
        images = _images(root, train + test, image, say)
    for remark in remarks(root, classes, train, test):
        say(remark)
    return classes, _pictures(root, images[: len(train)], train), _pictures(root, images[len(train) :], test)


def _check_fits(root: Path, count: int, image: tuple[int, int, int]) -> None:
    needed, there = count * prod(image) / 2**30, SHARE * free() / 2**10
    if needed > there:
        many = f"{count:,} images of {'×'.join(map(str, image))} take {needed:,.1f} GiB in memory, and {there:,.1f} may be taken"
        raise EtudeError(f"{root}: {many}; train with --stream, which decodes them as they are wanted, or smaller ones: --set side=…")


def _images(root: Path, labelled: Labelled, image: tuple[int, int, int], say: Say) -> Bytes:
    return kept.images(root, [path for path, _ in labelled], image, partial(_decoded, root), say)


def without(broken: Broken, classes: Sequence[str], *parts: Iterable[tuple[Path, int]], say: Say) -> list[Labelled]:
    """Training and test images without those that cannot be read, which is said. Raises EtudeError where nothing is left of a class."""
    kept = [[(path, label) for path, label in part if path not in broken.files] for part in parts]
    for part, labelled in zip(("training", "test"), kept, strict=True):
        for name in set(classes) - {classes[label] for _, label in labelled}:
            raise EtudeError(f"{broken.root}: no {part} image of {shown(name)} can be read; add some, or remove the class")
    say(f"left out {len(broken.files):,} of {len(broken.files) + sum(map(len, kept)):,} files: {broken.what}")
    return kept


def remarks(root: Path, classes: Sequence[str], *parts: Iterable[tuple[Path, int]]) -> list[str]:
    """What a person should know of a folder: classes out of balance, images of a kind that is not read."""
    found = []
    counts = Counter(label for part in parts for _, label in part)
    (most, many), (least, few) = counts.most_common()[0], counts.most_common()[-1]
    if many >= OUT_OF_BALANCE * few:
        often, rare = shown(classes[most]), shown(classes[least])
        guess = f"whoever always says {often} is right in {100 * many / counts.total():.0f} %"
        found.append(f"{root}: classes out of balance, {many:,} images of {often} and {few:,} of {rare}: {guess}")
    folders = {path.parent for part in parts for path, _ in part}
    others = Counter(path.suffix.lower() for folder in folders for path in _entries(folder) if path.suffix.lower() in OTHERS)
    if others:
        what = ", ".join(f"{count:,} {ending}" for ending, count in sorted(others.items()))
        found.append(f"{root}: not read, {what}; make PNG or JPEG of them, or leave them")
    return found


def _check_declared(root: Path, row: catalog.Row, classes: Sequence[str], train: Files, test: Files) -> None:
    """As many images of every class as the set has."""
    if odd := sorted(set(classes) ^ set(row.classes)):
        lacks = ", ".join(name for name in odd if name in row.classes)
        why = f"lacks {lacks}" if lacks else f"has {', '.join(odd)} too"
        raise EtudeError(f"{root}: is declared to be {row.name}, and {why}; expected its {len(row.classes)} classes ({declaration.FILE})")
    for part, files, wanted in (("training", train, row.train), ("test", test, row.test)):
        counts = np.bincount(files.labels, minlength=len(classes))
        for name, count in zip(classes, counts, strict=True):
            if count != wanted // len(classes):
                expected = f"expected {wanted // len(classes):,} ({declaration.FILE})"
                raise EtudeError(f"{root}: is declared to be {row.name}, and has {count:,} {part} images of {name}; {expected}")


def scan(root: Path, split: int | None = None) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test images. Raises EtudeError as `read` does, but for files that cannot be read."""
    classes, train, test = _split(root, split)
    if name := declaration.declared(root):
        _check_declared(root, catalog.row(name), classes, train, test)
    return classes, train, test


def _split(root: Path, split: int | None) -> tuple[tuple[str, ...], Files, Files]:
    if test_name := _test_folder(root):
        train_folders, test_folders = (_class_folders(root / name) for name in ("train", test_name))
        names, others = ([folder.name for folder in folders] for folders in (train_folders, test_folders))
        if names != others:
            odd = ", ".join(sorted({*names} ^ {*others}))
            raise EtudeError(f"{root}: train/ and {test_name}/ differ in their class folders ({odd}); both need the same ones")
        return tuple(names), Files.of(root, _labelled(train_folders)), Files.of(root, _labelled(test_folders))
    train: Labelled = []
    test: Labelled = []
    classes = class_folders(root)
    for label, paths in enumerate(classes.values()):
        _check_enough(paths)
        chosen = held_out(paths, split)
        for path in paths:
            (test if path in chosen else train).append((path, label))
    return tuple(classes), Files.of(root, train), Files.of(root, test)


def _test_folder(root: Path) -> str:
    """What lies beside train/: test, or val as in ImageNet; "" where the folder has no split."""
    inner = {folder.name for folder in _folders(root)}
    parts = {name for name in PARTS if name in inner and _folders(root / name)}
    if parts == {"train", "val"}:
        return "val"
    if misnamed := parts - {"train", "test"}:
        if "test" in parts:
            raise EtudeError(f"{root}: has test/ and {min(misnamed)}/, expected one of them beside train/; leave the other out")
        if "train" not in parts:
            raise EtudeError(f"{root}: has {min(misnamed)}/ but no train/; give both, or the class folders alone")
        raise EtudeError(f"{root}: has {min(misnamed)}/ with folders in it; expected train/ and test/: rename it to test, or leave it out")
    given = {"train", "test"} & inner
    if len(given) == 1 and parts:
        lacking = "test" if given == {"train"} else "train"
        raise EtudeError(f"{root}: has {min(given)}/ but no {lacking}/; give both, or the class folders alone")
    return "test" if len(given) == 2 else ""


def held_out(paths: Sequence[Path], split: int | None) -> set[Path]:
    """A fifth of the images of a class. By a seed it depends on their names alone, and a new image moves few of them."""
    if split is None:
        return set(paths[HELD_OUT - 1 :: HELD_OUT])

    def drawn(path: Path) -> bytes:
        return hashlib.sha256(f"{split} {path.parent.name}/{path.name}".encode(errors="surrogateescape")).digest()

    return set(sorted(paths, key=drawn)[: len(paths) // HELD_OUT])


def _labelled(folders: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    return ((path, label) for label, folder in enumerate(folders) for path in images_in(folder))


def class_folders(root: Path) -> dict[str, list[Path]]:
    """The images of each class folder in `root`, both in the order of their names."""
    return {folder.name: images_in(folder) for folder in _class_folders(root)}


def _class_folders(root: Path) -> list[Path]:
    folders = _folders(root)
    if not folders:
        raise EtudeError(f"{shown(root)}: has no class folders; expected CLASS/*.png, or train/CLASS/* and test/CLASS/*")
    for folder in folders:
        if not is_text(folder.name):  # which a run could not write down
            raise EtudeError(f"{shown(folder)}: its name is no UTF-8; rename it")
    if len(folders) == 1:
        raise EtudeError(f"{shown(root)}: has one class folder only ({shown(folders[0].name)}), expected two or more")
    return folders


def holds_classes(folder: Path) -> bool:
    """Whether it has folders and no image beside them."""
    entries = _entries(folder)
    return any(path.is_dir() for path in entries) and not any(path.suffix.lower() in ENDINGS for path in entries)


def _folders(root: Path) -> list[Path]:
    return [path for path in _entries(root) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    except OSError as error:
        raise EtudeError(f"{shown(folder)}: cannot be read ({error.strerror}); expected a folder of images") from error


def _check_enough(paths: list[Path]) -> None:
    if len(paths) < HELD_OUT:
        advice = "add images, or split them yourself into train/ and test/"
        raise EtudeError(f"{shown(paths[0].parent)}: {len(paths)} images, expected {HELD_OUT} or more, of which one is held out; {advice}")


def _decoded(root: Path, paths: Sequence[Path], image: tuple[int, int, int]) -> Bytes:
    images, broken = np.empty((len(paths), *image), np.uint8), dict[Path, str]()
    for at, path in enumerate(paths):
        try:
            images[at] = picture(path, image)
        except NoImage as error:
            broken[path] = error.why
    if broken:
        raise Broken(broken, root)
    return images


def _pictures(root: Path, images: Bytes, labelled: Labelled) -> Pictures:
    names = tuple(shown(path.relative_to(root)) for path, _ in labelled)
    return Pictures(images, np.array([label for _, label in labelled], np.int64), names)


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder, in the order of their names. Raises EtudeError if there is none."""
    images = [path for path in _entries(folder) if path.suffix.lower() in ENDINGS and path.is_file()]
    if not images:
        raise EtudeError(f"{shown(folder)}: a folder without images; expected {', '.join(ENDINGS)} files; add some, or remove it")
    return images
