"""A folder of images as a data set.

    FOLDER/train/CLASS/*  and  FOLDER/test/CLASS/*      the split is yours
    FOLDER/CLASS/*                                      every fifth image of each class, in the order of names, is held out as test set

PNG, JPEG and BMP count as images, whatever the case of their ending; hidden and other files are ignored. An image is turned as its
EXIF says, laid on white where it is transparent, made grey or RGB, and scaled to the wanted height and width, whatever its proportions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from etude.data import catalog, declaration, kept
from etude.data.idx import Bytes
from etude.data.sources import Say, silent
from etude.errors import EtudeError, UsageError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
HELD_OUT = 5  # one in so many

Labelled = list[tuple[Path, int]]


class Pictures(NamedTuple):
    """images N×C×H×W uint8; labels N int64, the index in the sorted class names."""

    images: Bytes
    labels: npt.NDArray[np.int64]


def read(root: Path, image: tuple[int, int, int], say: Say = silent) -> tuple[tuple[str, ...], Pictures, Pictures]:
    """Class names, training set and test set of the folder, each image brought to (C, H, W), C being 1 or 3.

    Raises EtudeError, naming the folder or file, if the folder has not one of the two layouts, lacks images, holds an unreadable one, or
    is not what it declares.
    """
    if image[0] not in (1, 3):
        raise UsageError(f"images of a folder have 1 (grey) or 3 (RGB) channels, not {image[0]}")
    classes, train, test = scan(root)
    if name := declaration.declared(root):
        _check_declared(root, catalog.row(name), classes, train, test)
    images = kept.images(root, [path for path, _ in train + test], image, _decoded, say)
    return classes, _pictures(images[: len(train)], train), _pictures(images[len(train) :], test)


def _check_declared(root: Path, row: catalog.Row, classes: Sequence[str], train: Labelled, test: Labelled) -> None:
    """As many images of every class as the set has."""
    if odd := sorted(set(classes) ^ set(row.classes)):
        lacks = ", ".join(name for name in odd if name in row.classes)
        why = f"lacks {lacks}" if lacks else f"has {', '.join(odd)} too"
        raise EtudeError(f"{root}: is declared to be {row.name}, and {why}; expected its {len(row.classes)} classes ({declaration.FILE})")
    for part, labelled, wanted in (("training", train, row.train), ("test", test, row.test)):
        counts = np.bincount([label for _, label in labelled], minlength=len(classes))
        for name, count in zip(classes, counts, strict=True):
            if count != wanted // len(classes):
                expected = f"expected {wanted // len(classes):,} ({declaration.FILE})"
                raise EtudeError(f"{root}: is declared to be {row.name}, and has {count:,} {part} images of {name}; {expected}")


def scan(root: Path) -> tuple[tuple[str, ...], Labelled, Labelled]:
    """Class names, and the paths with labels of training and test images. Raises EtudeError as `read` does."""
    inner = _folders(root)
    given = {"train", "test"} & {folder.name for folder in inner}
    if len(given) == 1 and _folders(root / min(given)):
        lacking = "test" if given == {"train"} else "train"
        raise EtudeError(f"{root}: has {min(given)}/ but no {lacking}/; give both, or the class folders alone")
    if len(given) == 2:
        return _given_split(root)
    classes = class_folders(root)
    train: Labelled = []
    test: Labelled = []
    for label, paths in enumerate(classes.values()):
        _check_enough(paths)
        for at, path in enumerate(paths):
            (test if at % HELD_OUT == HELD_OUT - 1 else train).append((path, label))
    return tuple(classes), train, test


def _given_split(root: Path) -> tuple[tuple[str, ...], Labelled, Labelled]:
    train, test = class_folders(root / "train"), class_folders(root / "test")
    if train.keys() != test.keys():
        odd = ", ".join(sorted(train.keys() ^ test.keys()))
        raise EtudeError(f"{root}: train/ and test/ differ in their class folders ({odd}); both need the same ones")
    return tuple(train), _labelled(train), _labelled(test)


def _labelled(classes: dict[str, list[Path]]) -> Labelled:
    return [(path, label) for label, paths in enumerate(classes.values()) for path in paths]


def class_folders(root: Path) -> dict[str, list[Path]]:
    """The images of each class folder in `root`, both in the order of their names."""
    folders = _folders(root)
    if not folders:
        raise EtudeError(f"{root}: has no class folders; expected CLASS/*.png, or train/CLASS/* and test/CLASS/*")
    if len(folders) == 1:
        raise EtudeError(f"{root}: has one class folder only ({folders[0].name}), expected two or more")
    return {folder.name: images_in(folder) for folder in folders}


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
        raise EtudeError(f"{folder}: cannot be read ({error.strerror}); expected a folder of images") from error


def _check_enough(paths: list[Path]) -> None:
    if len(paths) < HELD_OUT:
        advice = "add images, or split them yourself into train/ and test/"
        raise EtudeError(f"{paths[0].parent}: {len(paths)} images, expected {HELD_OUT} or more, of which one is held out; {advice}")


def _decoded(paths: Sequence[Path], image: tuple[int, int, int]) -> Bytes:
    images = np.empty((len(paths), *image), np.uint8)
    for at, path in enumerate(paths):
        images[at] = picture(path, image)
    return images


def _pictures(images: Bytes, labelled: Labelled) -> Pictures:
    return Pictures(images, np.array([label for _, label in labelled], np.int64))


def picture(path: Path, image: tuple[int, int, int]) -> Bytes:
    """One image file as C×H×W uint8. Raises EtudeError if it cannot be read."""
    return fitted(opened(path), image)


def opened(path: Path) -> Image.Image:
    """An image file as it is, turned as its EXIF says. Raises EtudeError, naming the file, if it cannot be read."""
    try:
        with Image.open(path) as file:
            return _without_transparency(ImageOps.exif_transpose(file)).copy()
    except FileNotFoundError as error:
        raise EtudeError(f"{path}: no such file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise EtudeError(f"{path}: not a readable image; replace or remove it") from error


def _without_transparency(drawn: Image.Image) -> Image.Image:
    """On white, as viewers show it; where nothing is drawn, a file may hold any colour."""
    if not drawn.has_transparency_data:
        return drawn
    drawn = drawn.convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(white, drawn).convert("RGB")


def fitted(drawn: Image.Image, image: tuple[int, int, int]) -> Bytes:
    """An opened image as C×H×W uint8, made grey or RGB and scaled where it has to be."""
    channels, height, width = image
    drawn = _in_mode(drawn, "L" if channels == 1 else "RGB")
    if drawn.size != (width, height):
        drawn = drawn.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(drawn, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder, in the order of their names. Raises EtudeError if there is none."""
    images = [path for path in _entries(folder) if path.suffix.lower() in ENDINGS and path.is_file()]
    if not images:
        raise EtudeError(f"{folder}: a folder without images; expected {', '.join(ENDINGS)} files; add some, or remove it")
    return images


def _in_mode(opened: Image.Image, mode: str) -> Image.Image:
    if opened.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        opened = Image.fromarray((np.asarray(opened).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return opened.convert(mode)
