"""CIFAR-10, CIFAR-100 and SVHN from files of the official form, made small; a folder that declares to be one of them."""

import dataclasses
import hashlib
import io
import os
import pickle
import pickletools
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from etude.data import catalog, kept, sources
from etude.data.catalog import File, Form, Row
from etude.data.dataset import Dataset, load
from etude.data.idx import Bytes, Labelled
from etude.errors import EtudeError
from etude.explain.images import real_images
from shell import run

IMAGE = (3, 32, 32)
NAMES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def batch(seed: int, classes: int, count: int = 3) -> Labelled:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *IMAGE)).astype(np.uint8), rng.integers(0, classes, count).astype(np.uint8)


def as_python_2_wrote_it(value: Any) -> bytes:
    """Protocol 2 with strings of bytes, as in the official files: Python 3 would write a call of _codecs.encode in their place."""
    data = bytearray(pickle.dumps(value, protocol=3))
    for opcode, _, at in pickletools.genops(bytes(data)):
        if at is not None and opcode.name in ("BINBYTES", "SHORT_BINBYTES"):
            data[at] = ord("T" if opcode.name == "BINBYTES" else "U")
    data[1] = 2
    return bytes(data)


def pickled(part: Labelled, key: bytes) -> bytes:
    images, labels = part
    return as_python_2_wrote_it({b"data": images.reshape(len(images), -1), key: labels.tolist(), b"batch_label": b"a batch"})


def binary(part: Labelled, coarse: bool) -> bytes:
    return b"".join((b"\7" if coarse else b"") + bytes([label]) + image.tobytes() for image, label in zip(*part, strict=True))


def archive(folder: str, files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(f"{folder}/{name}")
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return stream.getvalue()


class Small:
    """A small set in every form, put into a folder on demand; the catalog has the digests of its files."""

    def __init__(self, name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        classes = len(catalog.row(name).classes)
        names = NAMES if name == "cifar10" else ("train", "test")
        self.parts = {part: batch(seed, classes) for seed, part in enumerate(names)}
        key = b"labels" if name == "cifar10" else b"fine_labels"
        unpacked = {part: pickled(images, key) for part, images in self.parts.items()}
        bins = {f"{part}.bin": binary(images, name == "cifar100") for part, images in reversed(self.parts.items())}
        python, binaries, batches = catalog.row(name).forms
        inside = batches.folders[0]
        self.contents = (
            {python.files[0].name: archive(inside, {**unpacked, "batches.meta": b"", "readme.html": b"?"})},
            {binaries.files[0].name: archive(inside, {**bins, "batches.meta.txt": b"airplane\n"})},
            unpacked,
        )
        self.root, self.row, self.use = root, catalog.row(name), monkeypatch
        self.changed(*self.contents)

    def changed(self, *contents: Mapping[str, bytes]) -> None:
        """The catalog says that these are the official files."""
        digests = [{name: hashlib.md5(data).hexdigest() for name, data in files.items()} for files in contents]
        forms = tuple(
            dataclasses.replace(form, files=tuple(File(file.name, of[file.name]) for file in form.files), mirrors=())
            for form, of in zip(self.row.forms, digests, strict=True)
        )
        self.row = dataclasses.replace(self.row, forms=forms)
        self.use.setattr(catalog, "ROWS", (*(row for row in catalog.ROWS if row.name != self.row.name), self.row))

    def put(self, form: int, inside: str = "") -> Path:
        """The files of that form in the user's folder."""
        folder = self.root / "own" / inside
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.contents[form].items():
            (folder / name).write_bytes(data)
        return self.root / "own"

    def expected(self, names: tuple[str, ...]) -> tuple[Bytes, Bytes]:
        images, labels = zip(*(self.parts[name] for name in names), strict=True)
        return np.concatenate(images), np.concatenate(labels)


@pytest.fixture(params=["cifar10", "cifar100"])
def small(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    return Small(request.param, tmp_path, monkeypatch)


def assert_right(small: Small, data: Dataset) -> None:
    *training, test = small.parts
    for part, names in ((data.train, tuple(training)), (data.test, (test,))):
        images, labels = small.expected(names)
        assert np.array_equal(part.images.numpy(), images) and part.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(("form", "inside"), [(0, ""), (1, ""), (2, "as in torchvision"), (2, "")])
def test_every_form_gives_the_same_images_in_order(small: Small, capsys: pytest.CaptureFixture[str], form: int, inside: str) -> None:
    folder = small.row.forms[2].folders[0] if inside else ""
    own = small.put(form, folder)
    data = load(small.row.name, image=IMAGE, data_dir=own)
    assert_right(small, data)
    assert data.classes == small.row.classes and data.reencoded == ""
    for file in (own / folder).iterdir():
        file.unlink()
    assert sources.is_cached(small.row.name)
    again = load(small.row.name, image=IMAGE)
    assert_right(small, again)
    code, out, _ = run(capsys, "data", "info", small.row.name)
    mean = ", ".join(f"{value:.4f}" for value in again.statistics()[0])
    assert (code, f"MD5 {small.row.files[0].digest}" in out, f"mean     {mean} (computed" in out) == (0, True, True)


def test_the_unpacked_files_help_where_the_archive_is_not(small: Small) -> None:
    own = small.put(2, small.row.forms[2].folders[0])
    (own / small.row.forms[2].folders[0] / "readme.html").write_text("?")
    said: list[str] = []
    load(small.row.name, image=IMAGE, data_dir=own, say=said.append)
    assert said == [f"{small.row.name}: from your folder {own}"]


class Hostile:
    def __reduce__(self) -> Any:
        return Path.write_text, (Path("struck"), "x")


def _cut(data: bytes) -> bytes:
    return data[:-20]


def _other(data: bytes) -> bytes:
    return data + b"\0"


@pytest.mark.parametrize("damage", [_cut, _other])
def test_a_wrong_archive_is_one_line_and_nothing_is_used(small: Small, damage: Callable[[bytes], bytes]) -> None:
    own = small.put(0)
    path = own / small.row.files[0].name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EtudeError, match=r"tar\.gz: [\d,]+ bytes of MD5 .*…, expected .*…; replace or remove the file") as caught:
        load(small.row.name, image=IMAGE, data_dir=own)
    assert "\n" not in str(caught.value) and not sources.is_cached(small.row.name)


def test_content_that_is_not_as_it_should_be_is_one_line(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the digests agree: a pickle that runs code, a batch with a label too few, an archive that is none, one without test."""
    monkeypatch.chdir(tmp_path)
    test = "test_batch" if small.row.name == "cifar10" else "test"
    name, whole = small.row.files[0].name, dict(small.contents[2])
    images, labels = small.parts[test]
    key = b"labels" if small.row.name == "cifar10" else b"fine_labels"
    for data, says in (
        (archive("x", whole | {test: pickle.dumps(Hostile(), 2)}), "refused: it asks for"),
        (archive("x", whole | {test: pickled((images, labels[:2]), key)}), "3 images with 2 labels"),
        (archive("x", whole | {test: pickled((images[:, :2], labels), key)}), "2 images with 3 labels"),
        (archive("x", {part: data for part, data in whole.items() if part != test}), "no test batch"),
        (b"no archive", "not a gzip file"),
    ):
        small.contents = ({name: data}, *small.contents[1:])
        small.changed(*small.contents)
        with pytest.raises(EtudeError, match=rf"{name}: is not as the official files are \({says}.*\); remove it") as caught:
            load(small.row.name, image=IMAGE, data_dir=small.put(0))
        assert "\n" not in str(caught.value) and not (tmp_path / "struck").exists()


def test_where_none_can_be_reached_two_ways_out_are_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = catalog.row("cifar10")
    dead = dataclasses.replace(row.forms[0], mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(catalog, "ROWS", (dataclasses.replace(row, forms=(dead, *row.forms[1:])), catalog.row("strokes")))
    with pytest.raises(sources.NoSource) as caught:
        load("cifar10", image=IMAGE, data_dir=tmp_path)
    assert str(caught.value).splitlines() == [
        "cifar10: no source has the data",
        "Tried:",
        f"  the cache {tmp_path / 'cache' / 'cifar10'}: not there, or not whole",
        f"  your folder {tmp_path}: none of the files there",
        "  http://127.0.0.1:9/: cannot connect",
        "Two ways out:",
        "  put cifar-10-python.tar.gz, or cifar-10-binary.tar.gz, or data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5"
        " and test_batch in a folder and pass --data-dir FOLDER",
        "  or train on a folder of images: --data FOLDER, with train/CLASS/* and test/CLASS/* in it",
    ]


# ---- SVHN


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Row, dict[str, Labelled]]:
    """Three MATLAB files, where scipy is installed."""
    io = pytest.importorskip("scipy.io")
    row, parts = catalog.row("svhn"), {name: batch(seed, 10, 4) for seed, name in enumerate(("train", "extra", "test"))}
    files = []
    for name, (images, labels) in parts.items():
        path = tmp_path / f"{name}_32x32.mat"
        digits = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        io.savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": digits}, do_compression=True)
        files.append(File(path.name, hashlib.md5(path.read_bytes()).hexdigest()))
    row = dataclasses.replace(row, forms=(Form("svhn", tuple(files)),))
    monkeypatch.setattr(catalog, "ROWS", (row,))
    return row, parts


def test_house_numbers_with_the_extra_ones(numbers: tuple[Row, dict[str, Labelled]], tmp_path: Path) -> None:
    _, parts = numbers
    data = load("svhn", image=IMAGE, data_dir=tmp_path)
    for part, names in ((data.train, ("train", "extra")), (data.test, ("test",))):
        assert np.array_equal(part.images.numpy(), np.concatenate([parts[name][0] for name in names]))
        assert part.labels.tolist() == np.concatenate([parts[name][1] for name in names]).tolist()


def test_without_scipy_house_numbers_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("train_32x32.mat", "extra_32x32.mat", "test_32x32.mat")
    for name in names:
        (tmp_path / name).write_bytes(b"?")
    files = tuple(File(name, hashlib.md5(b"?").hexdigest()) for name in names)
    monkeypatch.setattr(catalog, "ROWS", (dataclasses.replace(catalog.row("svhn"), forms=(Form("svhn", files),)),))
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(EtudeError, match=r"MATLAB files are read by scipy, which is not installed: pip install 'etude-cnn\[svhn\]'"):
        load("svhn", image=IMAGE, data_dir=tmp_path)
    monkeypatch.delitem(sys.modules, "scipy.io")
    pytest.importorskip("scipy.io")
    with pytest.raises(EtudeError, match=r"train_32x32\.mat: is not as the official files are"):
        load("svhn", image=IMAGE, data_dir=tmp_path)


# ---- a declared re-encoding


@pytest.fixture
def jpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that declares to be a set of three classes, 4 images of each for training and 2 for test."""
    row = dataclasses.replace(catalog.row("cifar10"), classes=("ant", "bee", "cat"), train=12, test=6)
    monkeypatch.setattr(catalog, "ROWS", (row, catalog.row("strokes")))
    root = tmp_path / "jpegs"
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(row.classes):
            for at in range(count):
                path = root / part / name / f"{at}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (32, 32), (60 * label, 10 * at, 0)).save(path)
    (root / "dataset.toml").write_text('reencoded = "cifar10"\n', encoding="utf-8")
    return root


def test_a_declared_folder_says_what_it_is(jpegs: Path) -> None:
    data = load(jpegs, image=IMAGE)
    assert (data.reencoded, data.classes, len(data.train), len(data.test)) == ("cifar10", ("ant", "bee", "cat"), 12, 6)
    assert data.source == f"images in {jpegs}, cifar10 in another encoding"
    images, _ = real_images(IMAGE, 12, str(jpegs))
    assert images.shape == (12, *IMAGE) and images[8:, 0].min() > images[:4, 0].max() - 1e-6, "in colour: the third class is the reddest"
    grey, _ = real_images((1, 28, 28), 12, str(jpegs))
    assert grey.shape == (12, 1, 28, 28)
    (jpegs / "dataset.toml").unlink()
    assert load(jpegs, image=IMAGE).reencoded == ""


@pytest.mark.parametrize(
    ("removed", "declared", "says"),
    [
        ("train/bee/3.jpg", None, r"has 3 training images of bee; expected 4 \(dataset\.toml\)"),
        ("test/ant/0.jpg", None, "has 1 test images of ant; expected 2"),
        ("*/cat/*", None, "is declared to be cifar10, and lacks cat; expected its 3 classes"),
        ("", 'reencoded = "cifar"', "no data set 'cifar'; did you mean cifar10"),
        ("", 'reencoded = "strokes"', "reencoded = 'strokes', whose images cannot be counted by class; expected one of cifar10"),
        ("", 'reencodes = "cifar10"', "unknown key `reencodes`; did you mean reencoded"),
        ("", "reencoded", "is not valid TOML"),
    ],
)
def test_a_declaration_that_is_not_true_is_refused(jpegs: Path, removed: str, declared: str | None, says: str) -> None:
    for path in jpegs.glob(removed) if removed else ():
        path.unlink()
        if removed.startswith("*") and not any(path.parent.iterdir()):
            path.parent.rmdir()
    if declared is not None:
        (jpegs / "dataset.toml").write_text(declared, encoding="utf-8")
    with pytest.raises(EtudeError, match=says) as caught:
        load(jpegs, image=IMAGE)
    assert "\n" not in str(caught.value)


def test_a_large_folder_has_names_of_any_bytes(jpegs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MANY", 18)
    ant = jpegs / "test" / "ant"
    (ant / "0.jpg").rename(os.fsdecode(os.fsencode(ant) + b"/caf\xe9.jpg"))
    assert load(jpegs, image=IMAGE).digest() == load(jpegs, image=IMAGE).digest()
    assert list((cache / "folders").iterdir())


def test_a_large_folder_is_read_once(jpegs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MANY", 18)
    said: list[str] = []
    first, again = (load(jpegs, image=IMAGE, say=said.append) for _ in range(2))
    assert first.digest() == again.digest() and len(said) == 1 and "reading 18 images" in said[0]
    Image.new("RGB", (32, 32), (255, 255, 255)).save(jpegs / "test" / "ant" / "0.jpg")
    changed = load(jpegs, image=IMAGE, say=said.append)
    assert changed.digest() != first.digest() and len(said) == 2
    (file,) = (cache / "folders").glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert load(jpegs, image=IMAGE, say=said.append).digest() == changed.digest() and len(said) == 3
    monkeypatch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    file.unlink()
    assert load(jpegs, image=IMAGE, say=said.append).digest() == changed.digest()
    assert "cannot be written (No space left on device)" in said[-1] and not list((cache / "folders").iterdir())
