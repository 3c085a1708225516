"""Files and folders that are not what they seem: read rightly, or refused in one line that names the file and says what it is."""

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from etude.data import load
from etude.data.picture import picture
from etude.errors import EtudeError
from etude.models.weight_files import read_weights
from etude.train.predict import every_file
from shell import run

SHAPE = (3, 8, 8)


def encoded(kind: str, size: tuple[int, int] = (30, 20), mode: str = "RGB", **how: object) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 4), dtype=np.uint8)
    Image.fromarray(noise, "RGBA").convert(mode).save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"", bits: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def zipped(name: str = "a.png") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"x")
    return buffer.getvalue()


PNG, JPEG = encoded("PNG"), encoded("JPEG")
FILES = {  # what is in the file, and what is said of it
    "empty.png": (b"", "it is empty"),
    "zeros.jpg": (bytes(1000), "it holds zeros alone"),
    "text.png": (b"this is no image", "it is of another kind"),
    "page.jpg": (b"<!DOCTYPE html><p>404", "it is a web page"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is an SVG drawing"),
    "xml.png": (b"<?xml version='1.0'?><a/>", "it is an XML text"),
    "paper.png": (b"%PDF-1.4 ...", "it is a PDF"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC"),
    "film.jpg": (b"\0\0\0\x18ftypmp42\0\0\0\0", "it is a film"),
    "pack.png": (zipped(), "it is a ZIP archive"),
    "pack.jpg": (b"\x1f\x8b\x08\0\0\0\0\0", "it is a gzip archive"),
    "seven.png": (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive"),
    "rar.png": (b"Rar!\x1a\x07\0", "it is a RAR archive"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS, whose file was not fetched"),
    "cut.png": (PNG[: len(PNG) // 2], "it is damaged, or cut off"),
    "cut.jpg": (JPEG[: len(JPEG) // 2], "it is damaged, or cut off"),
    "head.png": (PNG[:20], "not a readable image"),
    "head.jpg": (JPEG[:3], "not a readable image"),
    "crc.png": (PNG[:40] + b"\xff" + PNG[41:], "it is damaged, or cut off"),
    "none.png": (png(0, 0), "not a readable image"),
    "short.png": (png(100, 100, b"\0" * 50), "it is damaged, or cut off"),
    "bomb.png": (png(60_000, 60_000), "larger than 178 million pixels"),
    "long.png": (png(2**31 - 1, 1), "larger than 178 million pixels"),
    "huge.gif": (b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\0;", "larger than 178 million pixels"),
    "huge.bmp": (b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 10**5, 10**5, 1, 24, *[0] * 6), "larger than 178 million pixels"),
    "huge.jpg": (JPEG.replace(b"\x08\0\x14\0\x1e\x03", b"\x08\xff\xff\xff\xff\x03"), "larger than 178 million pixels"),
    "words.png": (PNG[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))) + PNG[33:], "it is damaged, or cut off"),
    "bits.png": (png(4, 4, b"\0" * 20, bits=3), "not a readable image"),
    "float.tif": (encoded("TIFF", mode="F"), "its colours are of the mode F"),
    "lab.tif": (encoded("TIFF", mode="LAB"), "its colours are of the mode LAB"),
    "broken.bmp": (b"BM" + b"\xff" * 60, "not a readable image"),
    "broken.webp": (b"RIFF\x10\0\0\0WEBPVP8 \xff\xff", "not a readable image"),
    "broken.tif": (b"II*\0\xff\xff\xff\xff", "not a readable image"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_image_is_said_in_a_line(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EtudeError) as caught:
        picture(tmp_path / name, SHAPE)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


READ = {
    "grey": encoded("PNG", mode="L"),
    "black or white": encoded("PNG", mode="1"),
    "palette": encoded("PNG", mode="P"),
    "alpha": encoded("PNG", mode="RGBA"),
    "grey with alpha": encoded("PNG", mode="LA"),
    "16 bits": encoded("PNG", mode="I;16"),
    "32 bits": encoded("TIFF", mode="I"),
    "CMYK": encoded("JPEG", mode="CMYK"),
    "YCbCr": encoded("JPEG", mode="YCbCr"),
    "progressive": encoded("JPEG", progressive=True),
    "a pixel": encoded("PNG", (1, 1)),
    "very wide": encoded("PNG", (30_000, 1)),
    "palette with alpha": encoded("PNG", mode="P", transparency=0),
    "animated GIF": encoded("GIF", mode="P", save_all=True, append_images=[Image.new("P", (30, 20))]),
    "animated PNG": encoded("PNG", save_all=True, append_images=[Image.new("RGB", (30, 20))]),
    "animated WebP": encoded("WEBP", save_all=True, append_images=[Image.new("RGB", (30, 20))]),
    "broken EXIF": encoded("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "WebP": encoded("WEBP"),
    "another ending": encoded("GIF", mode="P"),
}


@pytest.mark.parametrize("kind", READ)
def test_every_mode_and_size_is_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "image.png").write_bytes(READ[kind])
    for channels in (1, 3):
        assert picture(tmp_path / "image.png", (channels, 8, 8)).shape == (channels, 8, 8)


def test_modes_mean_the_same_colours(tmp_path: Path) -> None:
    """A red image in every mode that has colours; what is turned by EXIF; transparency on white."""
    red = Image.new("RGB", (8, 8), (220, 30, 30))
    for name, image in (("cmyk.jpg", red.convert("CMYK")), ("palette.png", red.quantize(4)), ("alpha.png", red.convert("RGBA"))):
        image.save(tmp_path / name)
        assert abs(picture(tmp_path / name, SHAPE).astype(int) - np.array([220, 30, 30])[:, None, None]).max() <= 8, name
    half = Image.new("L", (16, 16))
    half.paste(255, (0, 0, 16, 8))  # bright above
    half.save(tmp_path / "turned.jpg", exif=exif(6))  # to be turned by a quarter, to the right
    turned = picture(tmp_path / "turned.jpg", (1, 16, 16))[0]
    assert turned[:, 9:].mean() > 250 and turned[:, :7].mean() < 5
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert picture(tmp_path / "clear.png", SHAPE).min() == 255


# ── Folders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def classes(root: Path, *names: str, count: int = 5) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(count):
            (root / name / f"{index}.png").write_bytes(PNG)


def odd_names(root: Path) -> None:
    classes(root, "a", "b\nc")
    (root / "b\nc" / "x\x1b[31m\n.png").write_bytes(b"no")


def no_utf8(root: Path) -> None:
    classes(root, "a", "b")
    Path(os.fsdecode(os.fsencode(root / "b") + b"/\xff\xfe.png")).write_bytes(b"no")


def class_no_utf8(root: Path) -> None:
    classes(root, "a", "b")
    (root / "b").rename(os.fsdecode(os.fsencode(root) + b"/\xff\xfe"))


def loop(root: Path) -> None:
    classes(root, "a", "b")
    (root / "b" / "x.png").symlink_to("x.png")
    (root / "b" / "gone.png").symlink_to("nowhere")
    os.mkfifo(root / "b" / "pipe.png")
    (root / "b" / "folder.png").mkdir()


def deep(root: Path) -> None:
    classes(root / "inner", "a", "b")


def validation(root: Path) -> None:
    for part in ("train", "valid"):
        classes(root / part, "a", "b")


def archive(root: Path) -> None:
    root.write_bytes(zipped("../../evil.png"))


def tar(root: Path) -> None:
    with tarfile.open(root, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("/etc/evil"))


def phone(root: Path) -> None:
    classes(root, "a", "b")
    for path in [*(root / "b").iterdir()]:
        path.rename(path.with_suffix(".HEIC"))


def all_broken(root: Path) -> None:
    classes(root, "a", "b")
    for path in (root / "b").iterdir():
        path.write_bytes(b"no")


FOLDERS: list[tuple[Callable[[Path], None], str]] = [
    (odd_names, "\N{REPLACEMENT CHARACTER}.png: not a readable image: it is of another kind"),
    (no_utf8, "\N{REPLACEMENT CHARACTER}.png: not a readable image: it is of another kind"),
    (class_no_utf8, "its name is no UTF-8; rename it"),
    (deep, "has one class folder only (inner)"),
    (validation, "has valid/ with folders in it; expected train/ and test/"),
    (archive, "is a file, expected a folder of images with one sub-folder a class; unpack an archive first"),
    (tar, "is a file, expected a folder of images"),
    (phone, "b: a folder without images; expected .png"),
    (all_broken, "0.png: not a readable image: it is of another kind, and 4 more (b/1.png, b/2.png, b/3.png, b/4.png)"),
]


@pytest.mark.parametrize(("make", "message"), FOLDERS, ids=lambda value: getattr(value, "__name__", ""))
def test_odd_folders_are_refused_in_a_line(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "photos")
    with pytest.raises(EtudeError) as caught:
        load(tmp_path / "photos", image=SHAPE)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    str(caught.value).encode()


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    loop(tmp_path / "photos")
    assert len(load(tmp_path / "photos", image=SHAPE).train) == 8


def test_a_class_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    all_broken(tmp_path / "photos")
    with pytest.raises(EtudeError, match="no training image of b can be read"):
        load(tmp_path / "photos", image=SHAPE, leave_out=True)


# ── Archives of weights ──────────────────────────────────────────────────────────────────────────────────────────────


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch evil",)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def rewritten(content: bytes, packing: int) -> bytes:
    """The same archive, its members packed otherwise."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(buffer, "w", packing) as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    return buffer.getvalue()


def locked(content: bytes) -> bytes:
    """The same archive, said to be encrypted."""
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        pieces = content.split(mark)
        content = mark.join([pieces[0], *(each[: flags - 4] + b"\x01" + each[flags - 3 :] for each in pieces[1:])])
    return content


def tensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(4)


SAVED = saved({"a": torch.zeros(1000)})
WEIGHTS = {
    "packed.pth": (rewritten(SAVED, zipfile.ZIP_DEFLATED), "holds packed tensors, and torch packs none; save model.state_dict() alone"),
    "locked.pth": (locked(SAVED), "is damaged, or holds something else"),
    "inner.pth": (zipped("a.zip"), "is damaged, or holds something else"),
    "gzip.pth": (b"\x1f\x8b\x08\0\0\0\0\0", "is damaged, or holds something else"),
    "long.safetensors": (struct.pack("<Q", 2 * 10**8) + b"{}", "is damaged, or holds something else"),
    "large.safetensors": (
        tensors(b'{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4]}}'),
        "is damaged, or holds something else",
    ),
    "far.safetensors": (tensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9999999999]}}'), "is damaged, or holds something else"),
    "evil.pth": (saved({"a": Evil()}), "would run code when read"),
    "cut.pth": (saved({"a": torch.ones(9)})[:300], "is damaged, or holds something else than weights"),
    "zip.pth": (zipped("../../evil"), "is damaged, or holds something else"),
    "text.pt": (b"weights", "is damaged, or holds something else"),
    "empty.safetensors": (b"", "is damaged, or holds something else"),
    "head.safetensors": (struct.pack("<Q", 2**60) + b"{}", "is damaged, or holds something else"),
    "nan.pth": (saved({"a": torch.tensor([float("nan")])}), "infinite or NaN"),
    "list.pth": (saved([1, 2]), "no state_dict but list"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_odd_weights_are_refused_in_a_line_and_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = WEIGHTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EtudeError) as caught:
        read_weights(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "evil").exists()


# ── What has no file's contents, and how it is said ──────────────────────────────────────────────────────────────────


def test_what_could_be_read_without_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(EtudeError, match=r"pipe.png: a pipe or a device; name an image"):
        list(every_file([tmp_path / "pipe.png"]))
    with pytest.raises(EtudeError, match=r"pipe.pth: not a file, but a folder, a pipe or a device"):
        read_weights(tmp_path / "pipe.pth")


NAMES = ("new\nline", "tab\t", "colour\x1b[31m", "quotes'\"`$(touch evil)", "\u202egnp.thgir", "\u05d0", os.fsdecode(b"\xff"), "-x", " ")


@pytest.mark.parametrize("weights", [False, True])
def test_the_command_line_says_it_in_one_line_whatever_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, weights: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    links = {"loop": "loop", "gone": "nowhere"}
    for name, target in links.items():
        Path(f"{name}.pth" if weights else f"{name}.png").symlink_to(f"{target}.pth" if weights else f"{target}.png")
    files = WEIGHTS if weights else FILES
    for name, (content, _) in files.items():
        Path(name).write_bytes(content)
    for name in NAMES:
        Path(f"{name}.pth" if weights else f"{name}.png").write_bytes(b"no")
    for file in sorted(Path().iterdir()):
        arguments = ("convert", f"./{file}") if weights else ("predict", "lecture_residual.lecture", f"./{file}", "--engine", "torch")
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (1, ""), file
        assert err.startswith("error: ") and err[:-1].isprintable() and err.endswith("\n"), file
    assert not Path("evil").exists()


def test_what_is_answered_is_in_one_line_whatever_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        Path(f"{name}.png").write_bytes(PNG)
    code, out, err = run(capsys, "predict", "lecture_residual.lecture", ".", "--engine", "torch")
    assert code == 0
    lines = (out + err).splitlines()
    assert len(lines) == 2 * len(NAMES)
    assert all(line.isprintable() for line in lines)
    (out + err).encode()
