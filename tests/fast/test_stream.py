"""Images that are decoded whenever they are wanted: which part of them is seen, in which colours, and by whom."""

import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch import Tensor, nn

from etude.data import folder, stream
from etude.data.batches import Ask, Place, generator, whole
from etude.data.colour import GREY, change
from etude.data.folder import Broken, Files
from etude.data.picture import parts
from etude.data.sources import silent
from etude.data.stream import Stream, Viewer
from etude.data.views import Box, Size, Views, middle, scaled
from etude.errors import EtudeError
from etude.tables import TableError
from etude.train import recipe as recipes
from etude.train import testing
from etude.train.recipe import Recipe
from etude.train.world import World

SCALED = Views(scale=(256, 480), colour="AlexNet", test=(256, 224))
PARTS = Views(area=(0.08, 1.0), aspect=(3 / 4, 4 / 3), colour="fb.resnet.torch", test=(256, 224))
SIZES = ((500, 375), (375, 500), (224, 900), (30, 30))


def photograph(seed: int, width: int = 60, height: int = 40) -> Image.Image:
    """Smooth colours, and none like another."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Twelve images of two classes, each of another shape."""
    root, labelled = tmp_path_factory.mktemp("photos"), []
    for number in range(12):
        path = root / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        photograph(number, 40 + number, 50 - number).save(path)
        labelled.append((path, number % 2))
    return Files.of(root, labelled)


# ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("views", [SCALED, PARTS], ids=["scale", "area and aspect"])
def test_a_part_lies_within_the_image(views: Views, size: Size) -> None:
    chance = Random(0)
    for _ in range(300):
        left, top, right, bottom, _ = views.drawn(size, 224, True, chance)
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]


def test_the_shorter_side_is_drawn_evenly_and_so_is_the_place() -> None:
    chance, (width, height) = Random(0), (800, 600)
    boxes = [SCALED.drawn((width, height), 224, True, chance) for _ in range(4_000)]
    shorter = np.array([224 * height / (box.bottom - box.top) for box in boxes])
    assert (round(shorter.min()), round(shorter.max())) == (256, 480)
    assert shorter.mean() == pytest.approx(368, abs=4)  # four times its standard error
    assert all((box.right - box.left) == pytest.approx(box.bottom - box.top, rel=0.004) for box in boxes)  # of whole pixels
    across = [box.left / (width - box.right + box.left) for box in boxes]
    down = [box.top / (height - box.bottom + box.top) for box in boxes]
    for places in (across, down):
        assert (min(places) < 0.01, max(places) > 0.99) == (True, True)
        assert np.mean(places) == pytest.approx(0.5, abs=0.02)
    assert np.mean([box.mirrored for box in boxes]) == pytest.approx(0.5, abs=0.03)
    assert not any(SCALED.drawn((width, height), 224, False, chance).mirrored for _ in range(20))


def test_area_and_aspect_are_drawn_evenly_and_what_does_not_fit_again() -> None:
    """Of a square, a part of up to three quarters fits whatever its aspect, so below that all areas are as likely."""
    chance = Random(0)
    boxes = [PARTS.drawn((1_000, 1_000), 224, True, chance) for _ in range(4_000)]
    areas = np.array([(box.right - box.left) * (box.bottom - box.top) / 1e6 for box in boxes])
    aspects = np.array([(box.right - box.left) / (box.bottom - box.top) for box in boxes])
    assert areas.min() > 0.079 and areas.max() > 0.9
    assert areas[areas < 0.75].mean() == pytest.approx((0.08 + 0.75) / 2, abs=0.014)
    assert aspects.min() > 0.745 and aspects.max() < 1.34
    assert np.mean(aspects > 1) == pytest.approx(0.5, abs=0.03)
    assert np.maximum(aspects, 1 / aspects)[areas < 0.75].mean() == pytest.approx(ASPECT, abs=0.01)
    whole_area = Views(area=(1.0, 1.0), aspect=(1.0, 1.0), test=(256, 224))
    assert whole_area.drawn((90, 30), 24, False, chance) == middle((90, 30), 24, 24) == Box(30, 0, 60, 30)


# the larger of r and 1/r, r evenly from 3/4 to 4/3: ∫dr/r below 1, ∫r dr above, by the length of the range
ASPECT = (np.log(4 / 3) + ((4 / 3) ** 2 - 1) / 2) / (4 / 3 - 3 / 4)


def test_a_part_is_what_scaling_the_whole_and_cutting_gives(tmp_path: Path) -> None:
    drawn, chance, views = photograph(0, 90, 60), Random(1), Views(scale=(32, 80), test=(32, 28))
    drawn.save(tmp_path / "a.png")
    for _ in range(20):
        box = views.drawn(drawn.size, 28, True, chance)
        shorter = round(28 * 60 / (box.bottom - box.top))
        across, down = scaled(drawn.size, shorter)
        left, top = round(box.left * across / 90), round(box.top * down / 60)
        plain = drawn.resize((across, down), Image.Resampling.BILINEAR).crop((left, top, left + 28, top + 28))
        expected = np.asarray(plain).astype(int)[:, :: -1 if box.mirrored else 1]
        (cut,) = parts(tmp_path / "a.png", lambda size, box=box: [box], 28, 3)  # type: ignore[misc]
        assert abs(cut.astype(int) - expected).max() <= 1


def test_a_large_jpeg_is_decoded_smaller_and_turned_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an eighth, where a middle of 40 pixels is wanted of 512; what it shows is the same."""
    lying = photograph(3, 640, 512)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying.save(tmp_path / "a.jpg", quality=95, exif=exif)
    lying.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "b.png")
    seen, sizes = [], []

    def choose(size: Size) -> list[Box]:
        sizes.append(size)
        return [middle(size, 48, 40)]

    for name in ("a.jpg", "b.png"):
        with monkeypatch.context() as patched:
            resized: list[Size] = []
            patched.setattr(Image.Image, "resize", noted(resized))
            seen.append(parts(tmp_path / name, choose, 40, 3).astype(float))
            seen.append(np.array(resized[0], float))
    assert sizes == [(512, 640)] * 2
    assert (seen[1].tolist(), seen[3].tolist()) == ([64, 80], [512, 640])
    assert abs(seen[0] - seen[2]).mean() < 2


def noted(sizes: list[Size], plain: Any = Image.Image.resize) -> Any:
    def resize(image: Image.Image, *arguments: Any) -> Image.Image:
        sizes.append(image.size)
        resized: Image.Image = plain(image, *arguments)
        return resized

    return resize


# ── Colours ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_alexnets_colours_move_along_the_principal_components() -> None:
    """As Σ αᵢλᵢpᵢ does: along each eigenvector by a tenth of its eigenvalue, and none with another."""
    pixels = np.random.default_rng(0).random((500, 3)) @ [[1, 0.9, 0.8], [0, 0.3, 0.2], [0, 0, 0.1]]
    covariance, chance = np.cov(pixels.T), Random(0)
    values, vectors = np.linalg.eigh(covariance)
    changes = [change("AlexNet", covariance, np.zeros(3), chance) for _ in range(4_000)]
    assert all(np.array_equal(each[:, :3], np.eye(3)) for each in changes)
    along = np.array([each[:, 3] for each in changes]) @ vectors / values
    assert np.cov(along.T) == pytest.approx(0.01 * np.eye(3), abs=0.001)  # a standard error is 0.01 · √(2/4000)
    assert along.mean(0) == pytest.approx(np.zeros(3), abs=0.007)


def test_brightness_contrast_and_saturation_are_mixed_with_black_the_mean_grey_and_grey() -> None:
    """Step by step on every pixel, in the order and by the numbers that were drawn."""
    image, orders = np.random.default_rng(0).random((6, 5, 3)), set()
    for seed in range(30):
        drawn, expected = Random(seed), image
        order = drawn.sample(("brightness", "contrast", "saturation"), 3)
        for kind in order:
            share, grey = 1 + drawn.uniform(-0.4, 0.4), (expected @ GREY)[:, :, None]
            other = {"brightness": 0 * grey, "contrast": grey.mean() + 0 * grey, "saturation": grey}[kind]
            expected = share * expected + (1 - share) * other
        found = change("fb.resnet.torch", np.zeros((3, 3)), image.mean((0, 1)), Random(seed))
        assert image @ found[:, :3].T + found[:, 3] == pytest.approx(expected, abs=1e-12)
        orders.add(tuple(order))
    assert len(orders) == 6


# ── Batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


COLOURED = Views(scale=(36, 60), colour="AlexNet", test=(36, 32))


def source(files: Files, mean: tuple[float, ...] = (0, 0, 0), std: tuple[float, ...] = (1, 1, 1)) -> Stream:
    viewer = Viewer(files, COLOURED, (3, 32, 32), True, np.diag([0.1, 0.2, 0.3]))
    return Stream(viewer, mean, std, workers=0, device=torch.device("cpu"))


def test_two_parts_are_the_whole_and_numbers_depend_on_the_ask_alone(files: Files) -> None:
    images, index = source(files), torch.tensor([3, 1, 4, 1, 5, 9, 2])
    (all_of_it,) = images.cuts([Ask(index, whole(index), (0, 5))])
    halves = [Ask(index[part], Place(7, part), (0, 5)) for part in (slice(0, 3), slice(3, 7))]
    first, second = images.cuts(halves)
    assert torch.equal(all_of_it.x, torch.cat((first.x, second.x)))
    assert torch.equal(all_of_it.y, index % 2)
    assert (all_of_it.images, first.images) == (7, 7)
    assert all_of_it.x.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(all_of_it.x[1], all_of_it.x[3]), "the same image at two places of a batch is seen in two ways"
    for other in ((0, 6), (1, 5)):
        (found,) = images.cuts([Ask(index, whole(index), other)])
        assert not any(torch.equal(one, another) for one, another in zip(all_of_it.x, found.x, strict=True))


def test_a_batch_is_cut_coloured_and_normalised(files: Files) -> None:
    """By hand of what the viewer draws; for a test it is the middle, in its own colours."""
    images, index = source(files, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)), torch.tensor([7, 2])
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)))
    (cut,) = images.cuts([Ask(index, whole(index), (0, 0))])
    (seen,) = images.viewer.seen([Ask(index, whole(index), (0, 0))], 0)
    assert len(seen.colours) == 2
    for x, pixels, colours in zip(cut.x, seen.pixels, seen.colours.double(), strict=True):
        moved = (pixels.double() @ colours[:, :3].T + colours[:, 3]).permute(2, 0, 1) / 255
        assert torch.allclose(x.double(), (moved - mean) / std, atol=1e-5)
    (tested_cut,) = images.cuts([Ask(index, whole(index))])
    for x, number in zip(tested_cut.x, (7, 2), strict=True):
        across, down = scaled((40 + number, 50 - number), 36)
        left, top = (across - 32) // 2, (down - 32) // 2
        plain = photograph(number, 40 + number, 50 - number).resize((across, down), Image.Resampling.BILINEAR)
        expected = torch.from_numpy(np.array(plain.crop((left, top, left + 32, top + 32)))).permute(2, 0, 1) / 255
        assert (x * std + mean - expected).abs().max() < 0.009  # two grey levels, as a part is scaled by itself


class Corner(nn.Module):
    """Says two classes by single pixels, so that a cut elsewhere or not mirrored gives another answer."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack((8 * x[:, 0, 3, 5], 8 * x[:, 1, 20, 30]), dim=1)


def test_ten_crops_are_corners_middle_and_mirrored_and_their_probabilities_are_averaged(files: Files) -> None:
    likely = []
    for number in range(12):
        across, down = scaled((40 + number, 50 - number), 36)
        image = photograph(number, 40 + number, 50 - number).resize((across, down), Image.Resampling.BILINEAR)
        right, bottom, here = across - 32, down - 32, []
        for left, top in ((0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2)):
            cut = np.array(image.crop((left, top, left + 32, top + 32))).transpose(2, 0, 1) / 255
            here += [Corner()(torch.tensor(each[None])).softmax(1) for each in (cut, cut[:, :, ::-1].copy())]
        likely.append(torch.cat(here).mean(0))
    of_right = torch.stack(likely)[torch.arange(12), torch.arange(12) % 2]
    found = testing.test(Corner(), source(files), World(), testing.TEN)
    assert found.loss == pytest.approx(-of_right.log().mean().item(), abs=0.01)
    assert found.accuracy == (of_right > 0.5).double().mean().item() != 0.5
    assert found.top5_accuracy == 1
    assert abs(testing.test(Corner(), source(files), World()).loss - found.loss) > 0.02, "one crop says something else"


def test_the_five_likeliest_are_five(files: Files) -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([3.0, 1, 9, 8, 7, 6, 5]).expand(len(x), 7)  # class 0 is the sixth, 1 the last

    none = testing.test(Fixed(), source(files), World())
    some = testing.test(Fixed(), source(Files(files.root, files.text, files.ends, files.labels + 5)), World())
    assert (none.accuracy, none.top5_accuracy) == (0, 0)
    assert (some.accuracy, some.top5_accuracy) == (0, 1)


def test_mean_spread_and_covariance_are_those_of_the_pixels_that_are_seen(files: Files) -> None:
    views = Views(scale=(36, 60), test=(36, 32))
    streamed = stream.Streamed("x", ("a", "b"), files, files, "", "", Viewer(files, views, (3, 32, 32), True), 0, silent)
    index = torch.randperm(12, generator=generator("sample"))
    (seen,) = streamed.viewer.seen([Ask(index, whole(index), ("sample", 0))], 0)
    pixels = seen.pixels.double() / 255
    mean, std = streamed.statistics()
    assert mean == pytest.approx(pixels.mean((0, 1, 2)).tolist(), abs=1e-12)
    assert std == pytest.approx(pixels.flatten(0, 2).std(0, correction=0).tolist(), abs=1e-9)
    assert torch.allclose(streamed.mean_image(), pixels.mean(0).permute(2, 0, 1), atol=1e-6)
    assert torch.allclose(streamed.sample.covariance, torch.cov(pixels.flatten(0, 2).T, correction=0))


def test_files_that_cannot_be_read_are_named_and_left_out_when_asked(tmp_path: Path) -> None:
    said: list[str] = []
    for name in ("a/1.png", "b/1.png", "b/2.png"):
        for part in ("train", "val"):
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            photograph(0).save(tmp_path / part / name)
    (tmp_path / "train" / "b" / "2.png").write_bytes(b"no image")
    views = Views(scale=(36, 60), test=(36, 32))
    kept, left = (stream.load(tmp_path, (3, 32, 32), views, True, 0, said.append, None, leave_out) for leave_out in (False, True))
    assert [len(each.train) for each in (kept, left)] == [3, 2]
    assert kept.digest() != left.digest()
    with pytest.raises(Broken, match=r"b/2\.png: not a readable image: it is of another kind; replace or remove it, or train with --leave"):
        [*source(kept.train).cuts([Ask(torch.arange(3), whole(torch.arange(3)), (0, 0))])]
    assert "left out 1 of 6 files" in said[-1]


# ── Folders, recipes ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="names are bytes")
def test_files_keep_names_of_any_bytes(tmp_path: Path) -> None:
    odd = tmp_path / "ab" / os.fsdecode(b"\xff\xfe \xe7\x8c\xab.png")
    found = Files.of(tmp_path, [(tmp_path / "ab" / "1.png", 0), (odd, 3)])
    assert [*found] == [(tmp_path / "ab" / "1.png", 0), (odd, 3)]
    assert [*found.chosen(torch.tensor([1, 1]))] == [(odd, 3)] * 2


def test_images_that_do_not_fit_into_memory_are_said_before_any_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            (tmp_path / name / f"{number}.png").write_bytes(b"not read")
    monkeypatch.setattr(folder, "free", lambda: 1.0)
    with pytest.raises(EtudeError, match=r"10 images of 3×224×224 take 0\.0 GiB in memory, and 0\.0 may be taken; train with --stream"):
        folder.read(tmp_path, (3, 224, 224))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return recipes.load("resnet18.he2015_imagenet", "paper")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("crop=0.5", "views cut the images, expected no `crop` beside them and shift = 0"),
        ("shift=4", "views cut the images, expected no `crop` beside them and shift = 0"),
        ("views.scale=[200,480]", "views.scale = [200, 480], expected at least the 224 pixels"),
        ("views.scale=[480,256]", "views.scale = [480, 256], expected a range above 0"),
        ("views.test=[200,224]", "views.test = [200, 224], expected the shorter side, and that of a square that fits into it"),
        ("views.test=[320,320]", "views.test = [320, 320], expected a square of 224 pixels, as the mean image has"),
        ("views.colour=sepia", "views.colour = 'sepia', expected one of 'AlexNet', 'fb.resnet.torch'"),
        ('views={"area": [0.1, 1], "test": [256, 224]}', "views: expected either `scale`, or `area` and `aspect`"),
        ('views={"area": [0.1, 2], "aspect": [1, 1], "test": [256, 224]}', "views.area = [0.1, 2], expected a range above 0, up to 1"),
        ("model=lecture_residual", "views.colour = 'AlexNet', expected none for images of 1 channel"),
    ],
)
def test_views_that_cannot_be_are_refused(recipe: Recipe, setting: str, message: str) -> None:
    with pytest.raises(TableError) as caught:
        recipes.change(recipe, (setting,))
    assert message in str(caught.value)


def test_any_recipe_can_be_streamed(recipe: Recipe) -> None:
    assert recipe.streamed() is recipe
    made = recipes.load("resnet50.finetune", "laptop").streamed()
    assert (made.views, made.crop, made.image) == (Views(area=(0.5, 1.0), aspect=(3 / 4, 4 / 3), test=(146, 128)), None, (3, 128, 128))
