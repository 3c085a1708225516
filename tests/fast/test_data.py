"""The IDX format, the drawn strokes, folders of images, and loading any of them."""

import dataclasses
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import etude.data
from etude.data import catalog, idx, strokes
from etude.data.dataset import Dataset, Split, load
from etude.data.picture import picture
from etude.errors import EtudeError, UsageError

# ---- IDX


@given(hnp.arrays(np.uint8, st.one_of(hnp.array_shapes(min_dims=1, max_dims=1), hnp.array_shapes(min_dims=3, max_dims=3))))
def test_idx_round_trip(array: idx.Bytes) -> None:
    again = idx.decode(idx.encode(array), "memory")
    assert again.shape == array.shape and np.array_equal(again, array)


def test_idx_bytes_are_as_published() -> None:
    assert idx.encode(np.array([7, 9], np.uint8)) == bytes.fromhex("00000801 00000002 0709")
    assert idx.encode(np.zeros((1, 2, 1), np.uint8)) == bytes.fromhex("00000803 00000001 00000002 00000001 0000")


def test_idx_files(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    plain, packed = tmp_path / "plain", tmp_path / "packed.gz"
    idx.write(plain, array)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert np.array_equal(idx.read(plain), array) and np.array_equal(idx.read(packed), array)
    assert idx.read(plain).flags.writeable, "torch.from_numpy warns about arrays it may not write"


WHOLE = bytes.fromhex("00000801 00000003 010203")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes with magic none, expected 00000801"),
        (b"\x89PNG....", "8 bytes with magic 89504e47, expected 00000801"),
        (WHOLE[:6], "ends after 6 bytes, inside its header of 8"),
        (WHOLE[:-1], "10 bytes, expected 11 for 3 values"),
        (WHOLE + b"\0", "12 bytes, expected 11 for 3 values"),
        (gzip.compress(WHOLE, mtime=0)[:-5], "bytes of broken or truncated gzip, expected a whole IDX file"),
        (b"\x1f\x8bnot gzip at all", "bytes of broken or truncated gzip"),
    ],
)
def test_idx_that_is_not_whole(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(data)
    with pytest.raises(EtudeError, match=says) as caught:
        idx.read(path)
    assert str(path) in str(caught.value) and "fetch" in str(caught.value) and "\n" not in str(caught.value)


def test_idx_that_is_absent_or_not_idx(tmp_path: Path) -> None:
    with pytest.raises(EtudeError, match="absent: cannot be read"):
        idx.read(tmp_path / "absent")
    for array in (np.zeros((2, 2), np.uint8), np.zeros(2)):
        with pytest.raises(ValueError, match="expected 1 or 3 of uint8"):
            idx.encode(array)  # type: ignore[arg-type]


# ---- strokes


def test_strokes_are_balanced_and_determined_by_the_seed() -> None:
    train, test = strokes.draw(seed=3, train=200, test=100)
    assert train.images.shape == (200, 28, 28) and train.images.dtype == np.uint8
    assert np.bincount(train.labels).tolist() == [20] * 10 and np.bincount(test.labels).tolist() == [10] * 10
    again, _ = strokes.draw(seed=3, train=200, test=100)
    other, _ = strokes.draw(seed=4, train=200, test=100)
    assert np.array_equal(train.images, again.images) and np.array_equal(train.labels, again.labels)
    assert not np.array_equal(train.images, other.images)
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}


def test_strokes_look_like_their_names() -> None:
    train, _ = strokes.draw(train=1000, test=10)
    ink = np.where(train.images > 80, train.images, 0).astype(float)
    y, x = np.mgrid[:28, :28]
    total = ink.sum((1, 2))
    assert (total > 0).all(), "no image is empty"
    cx, cy = (ink * x).sum((1, 2)) / total, (ink * y).sum((1, 2)) / total
    dx, dy = x - cx[:, None, None], y - cy[:, None, None]
    moments = {name: (ink * m).sum((1, 2)) / total for name, m in (("xx", dx * dx), ("yy", dy * dy), ("xy", dx * dy))}
    of = {name: train.labels == label for label, name in enumerate(catalog.row("strokes").classes)}
    assert (moments["xx"] > moments["yy"])[of["horizontal"]].all()
    assert (moments["yy"] > moments["xx"])[of["vertical"]].all()
    assert (moments["xy"] < 0)[of["rising"]].all() and (moments["xy"] > 0)[of["falling"]].all()
    inside = train.images[np.arange(1000), cy.round().astype(int), cx.round().astype(int)]
    assert np.median(inside[of["cross"]]) > 100 > np.median(inside[of["square"] | of["circle"]])


def test_strokes_leave_the_edge_free_and_are_shaded() -> None:
    train, _ = strokes.draw(train=300, test=10)
    edge = np.concatenate([train.images[:, 0], train.images[:, -1], train.images[:, :, 0], train.images[:, :, -1]])
    assert np.mean(edge > 128) < 0.01
    assert len(np.unique(train.images)) > 200, "anti-aliased and of many brightnesses"


# ---- a folder of images


def paint(path: Path, value: int = 100, size: tuple[int, int] = (28, 28), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(path)


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """Two classes of ten images; the value of each image tells its place."""
    for at in range(10):
        paint(tmp_path / "cats" / f"{at}.png", at)
        paint(tmp_path / "dogs" / f"{at}.png", 100 + at)
    return tmp_path


def test_folder_holds_out_every_fifth(painted: Path) -> None:
    for junk in ("cats/.hidden.png", "cats/notes.txt", ".git/x.png", "README.md"):
        (painted / junk).parent.mkdir(exist_ok=True)
        (painted / junk).write_text("not an image")
    data = load(painted)
    assert data.classes == ("cats", "dogs") and data.name == painted.name
    assert data.test.images[:, 0, 0, 0].tolist() == [4, 9, 104, 109] and data.test.labels.tolist() == [0, 0, 1, 1]
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 100, 101, 102, 103, 105, 106, 107, 108]
    assert data.train.images.dtype == torch.uint8 and data.train.labels.dtype == torch.int64


@pytest.mark.parametrize("test", ["test", "val"])
def test_folder_with_a_split_of_its_own(tmp_path: Path, test: str) -> None:
    for part, values in (("train", (1, 2)), (test, (3,))):
        for label, name in enumerate(("a", "b")):
            for value in values:
                paint(tmp_path / part / name / f"{value}.png", 10 * label + value)
    data = load(str(tmp_path))
    assert data.train.images[:, 0, 0, 0].tolist() == [1, 2, 11, 12] and data.test.images[:, 0, 0, 0].tolist() == [3, 13]


def test_folder_endings_colours_and_sizes(tmp_path: Path) -> None:
    for name in ("1.PNG", "2.jpg", "3.JPEG", "4.bmp", "5.png"):
        paint(tmp_path / "red" / name, 200, (50, 20), "RGB")
        paint(tmp_path / "grey" / name, 200, (8, 9), "L")
    grey, colour = load(tmp_path, image=(1, 16, 12)), load(tmp_path, image=(3, 16, 12))
    assert grey.train.images.shape == (8, 1, 16, 12) and colour.train.images.shape == (8, 3, 16, 12)
    assert colour.classes == ("grey", "red")
    assert (colour.train.images[-1].float().mean((1, 2)) - torch.tensor([200.0, 0, 0])).abs().max() < 3
    assert abs(grey.train.images[-1].float().mean() - 0.299 * 200) < 3


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(path)
    assert np.unique(picture(path, (1, 4, 4))).tolist() == [0x80]


def _nothing(root: Path) -> None:
    root.mkdir()


def _one_class(root: Path) -> None:
    paint(root / "only" / "1.png")


def _empty_class(root: Path) -> None:
    paint(root / "a" / "1.png")
    (root / "b").mkdir()


def _few(root: Path) -> None:
    for name in "ab":
        for at in range(4):
            paint(root / name / f"{at}.png")


def _unreadable(root: Path) -> None:
    _few(root)
    for name in "ab":
        (root / name / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")


def _differing(root: Path) -> None:
    for place in ("train/a", "train/b", "test/a", "test/c"):
        paint(root / place / "1.png")


def _no_test(root: Path) -> None:
    for name in "ab":
        paint(root / "train" / name / "1.png")


def _two_tests(root: Path) -> None:
    for part in ("train", "test", "val"):
        for name in "ab":
            paint(root / part / name / "1.png")


def _no_train(root: Path) -> None:
    for name in "ab":
        paint(root / "val" / name / "1.png")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_two_tests, "has test/ and val/, expected one of them beside train/; leave the other out"),
        (_no_train, "has val/ but no train/; give both"),
        (_nothing, "images: has no class folders"),
        (_one_class, r"has one class folder only \(only\)"),
        (_empty_class, "b: a folder without images"),
        (_few, "a: 4 images, expected 5 or more"),
        (_unreadable, r"4\.png: not a readable image"),
        (_differing, r"train/ and test/ differ in their class folders \(b, c\)"),
        (_no_test, "has train/ but no test/"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_folder_errors(tmp_path: Path, make: object, says: str) -> None:
    root = tmp_path / "images"
    assert callable(make)
    make(root)
    with pytest.raises(EtudeError, match=says) as caught:
        load(root)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_folder_truncated_image(painted: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (28, 28)).astype(np.uint8))
    noise.save(painted / "cats" / "0.png")
    whole = (painted / "cats" / "0.png").read_bytes()
    (painted / "cats" / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EtudeError, match=r"0\.png: not a readable image"):
        load(painted)


def test_folder_with_two_channels(painted: Path) -> None:
    with pytest.raises(UsageError, match="not 2"):
        load(painted, image=(2, 28, 28))


# ---- load


def test_load_strokes() -> None:
    data = load("strokes")
    assert data.train.images.shape == (6000, 1, 28, 28) and len(data.test) == 1000
    assert data.train.images.dtype == torch.uint8 and data.train.labels.dtype == torch.int64
    assert len(data.classes) == 10 and "seed 0" in data.source


def test_load_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [np.full((3, 28, 28), 7, np.uint8), np.arange(3, dtype=np.uint8), np.zeros((2, 28, 28), np.uint8), np.ones(2, np.uint8)]
    real = catalog.row("mnist")
    pairs = list(zip(real.files, arrays, strict=True))
    files = tuple(dataclasses.replace(f, shape=a.shape, digest=hashlib.sha256(idx.encode(a)).hexdigest()) for f, a in pairs)
    monkeypatch.setattr(catalog, "ROWS", (dataclasses.replace(real, forms=(dataclasses.replace(real.forms[0], files=files),)),))
    monkeypatch.setenv("ETUDE_CACHE", str(tmp_path / "cache"))
    for file, array in pairs:
        idx.write(tmp_path / "own" / file.name, array)
    data = load("mnist", data_dir=tmp_path / "own")
    assert data.train.images.shape == (3, 1, 28, 28) and data.train.labels.tolist() == [0, 1, 2] and data.test.labels.tolist() == [1, 1]
    assert str(tmp_path / "cache" / "mnist") in data.source


def test_load_errors() -> None:
    with pytest.raises(UsageError, match="no data set and no folder of images 'minst'; did you mean mnist"):
        load("minst")
    with pytest.raises(UsageError, match="strokes has images of 1×28×28, not 3×32×32"):
        load("strokes", image=(3, 32, 32))


def test_statistics_by_hand() -> None:
    images = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8).view(2, 1, 1, 2).repeat(1, 2, 1, 1)
    images[:, 1] = 255
    split = Split(images, torch.tensor([0, 1]))
    mean, std = Dataset("tiny", ("a", "b"), split, split, "here").statistics()
    values = np.array([0, 1, 0.2, 0.4])
    assert mean == pytest.approx((values.mean(), 1.0), abs=1e-15) and std == pytest.approx((values.std(), 0.0), abs=1e-15)


def test_the_package_is_lazy_and_complete() -> None:
    assert set(etude.data.__all__) <= set(dir(etude.data))
    assert all(getattr(etude.data, name) is not None for name in etude.data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        etude.data.nothing  # noqa: B018
