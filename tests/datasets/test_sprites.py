"""Figures whose factors are known are drawn as they say."""

from __future__ import annotations

import dataclasses
import hashlib
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from datasets import sprites
from datasets.blocks import ArrayBlock
from datasets.build import build
from datasets.sprites import FIGURES, RANGES, SIZES, draw, known
from datasets.types import Access, DataError, Factor


def moments(images: np.ndarray) -> dict[str, np.ndarray]:
    """Of each picture: the angle of an axis, its area, and how far right of its middle its light lies."""
    ink = (images[:, 0] > 0).astype(float)
    side = images.shape[-1]
    y, x = np.mgrid[:side, :side]
    total = ink.sum((1, 2))
    mx, my = ((ink * axis).sum((1, 2)) / total for axis in (x, y))
    dx, dy = x - mx[:, None, None], -(y - my[:, None, None])
    xx, xy, yy = ((ink * a * b).sum((1, 2)) / total for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    light = (images[:, 0] * dx).sum((1, 2)) / images[:, 0].sum((1, 2))
    return {"rotation": np.arctan2(2 * xy, xx - yy) / 2, "area": total, "light": light}


@pytest.mark.parametrize(("size", "least"), [(16, 0.8), (28, 0.9), (64, 0.9)])
def test_each_factor_is_in_the_picture(size: int, least: float) -> None:
    """Read from its moments; a figure's axes lie along or across it, and which is longer depends on width."""
    labels, drawn = known(800)
    seen = moments(draw(labels, drawn, size))
    off = seen["rotation"] - drawn["rotation"]
    off = np.abs((off + np.pi / 4) % (np.pi / 2) - np.pi / 4)
    for k, name in enumerate(FIGURES):
        own = labels == k
        assert stats.spearmanr(seen["light"][own], drawn["light"][own]).statistic > least, name
        assert stats.spearmanr(seen["area"][own], drawn["width"][own]).statistic > 0.9, name
        assert np.median(off[own]) < 0.1, name


def test_light_brightens_the_right_or_the_left() -> None:
    labels = np.arange(4)
    still = {name: np.zeros(4) for name in ("rotation", "x", "y")} | {"width": np.ones(4)}
    for light in (-1.0, 1.0):
        images = draw(labels, still | {"light": np.full(4, light)}, 32)[:, 0].astype(float)
        halves = (images[..., :16], images[..., 16:])
        left, right = (half.sum((1, 2)) / (half > 0).sum((1, 2)) for half in halves)
        assert (light * (right - left) > 30).all(), "grey levels"


def test_the_figure_can_be_told() -> None:
    """By the nearest outline, so that identity is no less in the pixels than the factors."""
    labels, drawn = known(3000)
    pixels = draw(labels, drawn, 28).reshape(3000, -1) > 0
    guess = KNeighborsClassifier(1).fit(pixels[:2500], labels[:2500]).predict(pixels[2500:])
    assert (guess == labels[2500:]).mean() > 0.95


def test_turning_a_figure_turns_its_picture() -> None:
    """By a right angle, exactly, where a picture's grid is turned with it."""
    labels = np.arange(4)
    still = {"width": np.ones(4), "light": np.zeros(4), "x": np.zeros(4), "y": np.zeros(4)}
    upright, turned = (draw(labels, {**still, "rotation": np.full(4, a)}, 32) for a in (0.0, np.pi / 2))
    assert np.abs(np.rot90(upright, 1, (2, 3)).astype(int) - turned).mean() < 1


def test_classes_and_factors_are_uniform_and_independent() -> None:
    labels, drawn = known(12_000)
    assert stats.chisquare(np.bincount(labels)).pvalue > 1e-3
    for name, (low, high) in RANGES.items():
        assert stats.kstest(drawn[name], stats.uniform(low, high - low).cdf).pvalue > 1e-3
    for a, b in combinations([labels, *drawn.values()], 2):
        assert abs(stats.spearmanr(a, b).statistic) < 0.03


def test_the_parts_and_their_factors(load: Any) -> None:
    data = load("sprites")
    assert data.shape == (1, 28, 28)
    assert data.factors == ("rotation", "width", "light")
    assert data.classes == ("bar", "cross", "triangle", "moon")
    whole = known(sum(SIZES.values()))
    start = 0
    for part, size in SIZES.items():
        split = getattr(data, part)
        assert (len(split), tuple(split.factors.shape)) == (size, (size, 3))
        assert np.array_equal(split.labels, whole[0][start : start + size])
        np.testing.assert_allclose(split.factors[:, 1], whole[1]["width"][start : start + size], rtol=1e-6)
        start += size
    few = load("sprites", limit=50, classes=("moon", "bar"))
    numbers = np.flatnonzero(np.isin(whole[0], (0, 3)))
    assert len(few.train) == 50
    kept = few.train.factors[:, 1].numpy()
    assert all(value in whole[1]["width"][numbers].astype(np.float32) for value in kept)
    assert few.train.plain.factors is few.train.factors


def test_the_bytes_are_what_they_were() -> None:
    labels, drawn = known(16)
    assert hashlib.sha256(draw(labels, drawn, 28).tobytes()).hexdigest()[:16] == "58bc58a2dbd7ff59"


@pytest.mark.parametrize("size", [16, 64])
def test_sizes(size: int, load: Any, everything: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sprites, "SIZES", {"train": 40, "validation": 10, "test": 10})
    data = load("sprites", size=size)
    assert data.shape == (1, size, size)
    expected = draw(*known(60), size)
    for part, piece in (("train", slice(0, 40)), ("validation", slice(40, 50)), ("test", slice(50, 60))):
        assert np.array_equal(everything(getattr(data, part)).images, expected[piece])


def test_factors_that_do_not_fit_are_refused(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sprites, "SIZES", {"train": 40, "validation": 10, "test": 10})
    data = load("sprites")
    with pytest.raises(DataError, match="factors that are not"):
        dataclasses.replace(data, known=(Factor("rotation"),))


def test_a_column_of_another_length_is_a_fault(settings: Any, access: Access) -> None:
    labels, drawn = known(60)
    block = ArrayBlock(draw(labels, drawn, 28), labels, 28, 256)
    parts = {part: (block, np.arange(20)) for part in SIZES}
    with pytest.raises(ValueError, match="light has"):
        build(
            "own",
            settings("sprites"),
            access,
            parts,
            list(FIGURES),
            {},
            {Factor("light"): drawn["light"][:20]},
        )


def test_flips_are_refused_before_anything_is_drawn(
    load: Any, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        r"^dataset\.flip=true would falsify what is known of images of sprites, rotation and light; "
        r"give dataset\.flip=false$"
    )
    with pytest.raises(DataError, match=said):
        load("sprites", flip=True)
    assert not access.cache.exists()
    monkeypatch.setattr(sprites, "SIZES", {"train": 40, "validation": 10, "test": 10})
    assert load("sprites", crop=2).train.crop == 2, "a figure that lies elsewhere is the same"
