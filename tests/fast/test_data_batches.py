"""Batches and augmentation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etude.data import Batches, Split, epoch_order, generator, random_flip, random_shift
from etude.data.batches import Place, random_part


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))


@given(st.integers(1, 200), st.integers(0, 2**40), st.integers(0, 1000))
def test_epoch_order_is_a_permutation(count: int, seed: int, epoch: int) -> None:
    order = epoch_order(count, seed, epoch)
    assert order.dtype == torch.int64 and sorted(order.tolist()) == list(range(count))
    assert torch.equal(order, epoch_order(count, seed, epoch))


def test_epoch_order_differs_for_each_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(100, seed, epoch).tolist()) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100  # a sum of seed and epoch as seed would give 19


def test_epoch_order_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    epoch_order(10, 0, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_generator_depends_on_the_whole_key() -> None:
    keys: list[tuple[int | str, ...]] = [(1, 23), (12, 3), (1, 2, 3), (1, 23, "a"), ("1", 23)]
    assert len({int(torch.randint(2**62, (), generator=generator(*key))) for key in keys}) == len(keys)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_cut_by_hand(channels: int, memory_format: torch.memory_format) -> None:
    split = Split(noise(20, channels, 5, 7), torch.arange(20) % 4)
    mean, std = (0.1, 0.5, 0.9)[:channels], (0.3, 0.2, 0.25)[:channels]
    index = torch.tensor([3, 0, 19])
    x, y = Batches(split, mean, std, memory_format=memory_format).cut(index)
    pixels = split.images.numpy()[[3, 0, 19]].astype(np.float64) / 255
    by_hand = (pixels - np.reshape(mean, (1, -1, 1, 1))) / np.reshape(std, (1, -1, 1, 1))
    assert x.dtype == torch.float32 and np.abs(x.numpy() - by_hand).max() < 2e-6
    assert y.tolist() == [3, 0, 3] and x.is_contiguous(memory_format=memory_format)


def test_one_channel_has_the_strides_of_channels_last() -> None:
    split = Split(noise(4, 1, 5, 7), torch.zeros(4, dtype=torch.int64))
    x, _ = Batches(split, (0.0,), (1.0,), memory_format=torch.channels_last).cut(torch.arange(4))
    assert x.stride() == (35, 1, 7, 1)  # what torch goes by when it chooses a convolution


def test_cut_leaves_the_split_alone_and_augments_before_it_normalises() -> None:
    split = Split(noise(4, 1, 6, 6), torch.arange(4))
    before = split.images.clone()
    batches = Batches(split, (0.5,), (0.5,))
    x, _ = batches.cut(torch.arange(4), lambda images: images.zero_())
    assert (x == -1).all() and torch.equal(split.images, before) and len(batches) == 4


def test_constant_channel_is_zero() -> None:
    split = Split(torch.full((2, 1, 3, 3), 51, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    x, _ = Batches(split, (0.2,), (0.0,)).cut(torch.arange(2))
    assert x.abs().max() < 1e-6


def test_wrong_number_of_channels() -> None:
    with pytest.raises(ValueError, match="1 means and 1 deviations for images of 3 channels"):
        Batches(Split(noise(2, 3, 4, 4), torch.arange(2)), (0.5,), (0.5,))


def _shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """One pixel at a time, the slow and plain way."""
    out = torch.zeros_like(image)
    _, height, width = image.shape
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                out[:, y, x] = image[:, y - down, x - right]
    return out


@pytest.mark.parametrize("channels", [1, 3])
def test_random_shift_is_one_of_the_allowed_shifts(channels: int) -> None:
    images = noise(60, channels, 6, 5) | 1
    shifted = random_shift(images, 1, generator(0))
    assert shifted.shape == images.shape and shifted.dtype == images.dtype
    seen = set()
    for before, after in zip(images, shifted, strict=True):
        matches = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if torch.equal(after, _shifted(before, dy, dx))]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) == 9, "every shift occurs"


def test_random_shift_by_nothing() -> None:
    images = noise(3, 1, 4, 4)
    assert torch.equal(random_shift(images, 0, generator(0)), images)


def test_each_image_is_moved_alike_in_the_whole_batch_and_in_any_part_of_it() -> None:
    images = torch.arange(7 * 2 * 4 * 4).view(7, 2, 4, 4).to(torch.uint8)
    ways = (lambda *at: random_shift(at[0], 2, *at[1:]), lambda *at: random_part(at[0], 0.3, *at[1:]), random_flip)
    for way in ways:
        parts = [way(images[part], generator(3), Place(7, part)) for part in (slice(0, 3), slice(3, 7))]
        assert torch.equal(torch.cat(parts), way(images, generator(3)))
        assert not torch.equal(torch.cat(parts), images)


def test_random_flip_mirrors_about_half() -> None:
    images = noise(200, 3, 4, 5)
    flipped = random_flip(images, generator(0))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ same).all() and 70 < int(mirrored.sum()) < 130


def test_augmentations_repeat_with_their_generator() -> None:
    images = noise(20, 1, 8, 8)
    one, two = (random_flip(random_shift(images, 2, g), g) for g in (generator(5, 1), generator(5, 1)))
    assert torch.equal(one, two)
    assert not torch.equal(one, random_flip(random_shift(images, 2, g := generator(5, 2)), g))
