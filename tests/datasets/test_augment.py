"""Flips and crops of whole batches, against torchvision's of single images."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional

from datasets.augment import augment, random_crops, random_flips

SHAPES = [(3, 32, 32), (1, 28, 28), (1, 8, 8), (3, 5, 7), (1, 3, 2), (3, 4, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_image_is_itself_or_its_mirror_image(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (64, *shape), dtype=torch.uint8)
    out = random_flips(images.clone())
    flipped = functional.hflip(images)
    same, mirrored = (out == images).flatten(1).all(1), (out == flipped).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert out.shape == images.shape
    assert 12 < int((mirrored & ~same).sum()) < 52


def test_images_that_start_at_an_odd_byte_are_flipped_too() -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (1 + 16 * 64,), dtype=torch.uint8)[1:].view(16, 1, 8, 8)
    kept = images.clone()
    out = random_flips(images)
    assert bool(((out == kept) | (out == kept.flip(-1))).flatten(1).all(1).all())
    assert not torch.equal(out, kept)


def test_half_of_the_images_are_flipped_independently() -> None:
    torch.manual_seed(1)
    image = torch.tensor([[[[0, 1]]]], dtype=torch.uint8)
    flips = torch.stack([random_flips(image.repeat(400, 1, 1, 1))[:, 0, 0, 0] for _ in range(100)]).double()
    assert abs(flips.mean() - 0.5) < 0.01  # standard error 0.0025
    assert (
        abs(flips.mean(0).var(unbiased=True) - 0.25 / 100) < 0.0006
    )  # of a fair coin's mean over 100 throws
    assert abs(torch.corrcoef(flips.T[:2])[0, 1]) < 0.4


def test_no_image_may_be_chosen() -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (1, 3, 4, 4), dtype=torch.uint8)
    outs = {random_flips(images.clone()).numpy().tobytes() for _ in range(40)}
    assert outs == {images.numpy().tobytes(), images.flip(-1).numpy().tobytes()}


@pytest.mark.parametrize("shape", [(3, 6, 6), (1, 4, 7)])
def test_a_crop_is_a_window_of_the_padded_image_and_all_windows_occur(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    image = torch.randint(1, 256, shape, dtype=torch.uint8)
    padded = functional.pad(image, [1, 1, 1, 1])
    height, width = shape[1:]
    windows = {
        functional.crop(padded, top, left, height, width).numpy().tobytes()
        for top in range(3)
        for left in range(3)
    }
    crops = random_crops(image.repeat(300, 1, 1, 1), 1)
    assert {crop.contiguous().numpy().tobytes() for crop in crops} == windows
    assert len(windows) == 9


def test_augmentation_is_a_function_of_the_default_generator() -> None:
    images = torch.randint(256, (32, 3, 8, 8), dtype=torch.uint8)
    torch.manual_seed(5)
    first = augment(images.clone(), True, 2)
    second = augment(images.clone(), True, 2)
    torch.manual_seed(5)
    assert torch.equal(augment(images.clone(), True, 2), first)
    assert not torch.equal(first, second)
    state = torch.get_rng_state()
    assert torch.equal(augment(images, False, 0), images)
    assert torch.equal(torch.get_rng_state(), state)
