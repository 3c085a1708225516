"""One image file as pixels, whatever its mode; or in a few words why it is none."""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from etude.data.idx import Bytes
from etude.data.views import Box, Size
from etude.errors import EtudeError

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")  # and those that begin with I
KINDS = {  # what else a file may be, by how it begins
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML text",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
}
IMAGES = (b"\x89PNG", b"\xff\xd8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"GIF8")  # how those begin that are read
HEIF = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}


class NoImage(EtudeError):
    """A file that cannot be read as an image, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{shown(path)}: {why}; replace or remove it")
        self.why = why


def picture(path: Path, image: tuple[int, int, int]) -> Bytes:
    """One image file as C×H×W uint8. Raises NoImage if it cannot be read."""
    return fitted(opened(path), image)


def opened(path: Path) -> Image.Image:
    """An image file as it is, turned as its EXIF says. Raises NoImage, naming the file, if it cannot be read."""
    with reading(path) as file:
        return upright(path, file)


def parts(path: Path, choose: Callable[[Size], Sequence[Box]], side: int, channels: int) -> Bytes:
    """Parts of an image file, each scaled to side × side: N×side×side×C, grey or RGB. Raises NoImage.

    choose  gives the parts, of the image's width and height. Where the largest of them is wanted at half its size or less, a JPEG is
            decoded at a half, a quarter or an eighth: each 8×8 of its pixels as 4×4, 2×2 or 1, their means rather than all of them
    """
    with reading(path) as file:
        width, height = turned(file)
        boxes = choose((width, height))
        share = max(side / min(box.right - box.left, box.bottom - box.top) for box in boxes)
        file.draft(None, (math.ceil(file.width * share), math.ceil(file.height * share)))
        drawn = _in_mode(upright(path, file), "L" if channels == 1 else "RGB")
    x, y = drawn.width / width, drawn.height / height
    cuts = np.empty((len(boxes), side, side, channels), np.uint8)
    for cut, (left, top, right, bottom, mirrored) in zip(cuts, boxes, strict=True):
        box = (left * x, top * y, min(right * x, drawn.width), min(bottom * y, drawn.height))
        pixels = np.asarray(drawn.resize((side, side), Image.Resampling.BILINEAR, box)).reshape(side, side, channels)
        cut[:] = pixels[:, ::-1] if mirrored else pixels
    return cuts


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Image.Image]:
    """An image file of which the header was read. Raises NoImage, naming the file, if the rest cannot be either."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, odd EXIF and the like: an image that can be read is one
            with Image.open(path) as file:
                yield file
    except NoImage:
        raise
    except FileNotFoundError as error:
        raise NoImage(path, "no such file") from error
    except Image.DecompressionBombError as error:
        raise NoImage(path, f"not a readable image: larger than {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels") from error
    except Exception as error:  # whatever the bytes of a damaged file make a reader stumble over
        raise NoImage(path, f"not a readable image: {what_is(path)}") from error


def turned(file: Image.Image) -> Size:
    """Width and height when it is turned as its EXIF says; of the eight ways, the last four lie on their side."""
    return file.size if file.getexif().get(ExifTags.Base.Orientation, 1) < 5 else (file.height, file.width)


def upright(path: Path, file: Image.Image) -> Image.Image:
    """The pixels of a file, turned as its EXIF says, nothing transparent. Raises NoImage for colours that are not known here."""
    drawn = _without_transparency(ImageOps.exif_transpose(file)).copy()
    if drawn.mode not in MODES and not drawn.mode.startswith("I"):
        raise NoImage(path, f"not a readable image: its colours are of the mode {drawn.mode}, expected grey, RGB or CMYK of 8 or 16 bits")
    return drawn


def what_is(path: Path) -> str:
    """A file that could not be read, in words."""
    try:
        with path.open("rb") as file:
            begin = file.read(32)
    except OSError as denied:
        return f"it cannot be opened ({denied.strerror})"
    if not begin.strip(b"\0"):
        return "it is empty" if not begin else "it holds zeros alone"
    if kind := next((kind for first, kind in KINDS.items() if begin.startswith(first)), ""):
        return f"it is {kind}"
    if begin[4:8] == b"ftyp":
        return f"it is {HEIF.get(begin[8:12], 'a film')}"
    return "it is damaged, or cut off" if begin.startswith(IMAGES) else "it is of another kind"


def shown(path: Path | str) -> str:
    """A path in one line, whatever characters its name has."""
    text = str(path).encode(errors="surrogateescape").decode(errors="replace")
    return "".join(character if character.isprintable() else "�" for character in text)


def _without_transparency(drawn: Image.Image) -> Image.Image:
    """On white, as viewers show it; where nothing is drawn, a file may hold any colour."""
    if not drawn.has_transparency_data or drawn.mode.startswith("I"):  # 16-bit grey, which has no such form
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


def _in_mode(opened: Image.Image, mode: str) -> Image.Image:
    if opened.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        opened = Image.fromarray((np.asarray(opened).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return opened.convert(mode)
