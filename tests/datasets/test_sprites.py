"""Figures whose factors are known are drawn as they say."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from datasets.sprites import FIGURES, RANGES, SIZES, draw, known
from datasets.types import DataError


def moments(images: np.ndarray) -> dict[str, np.ndarray]:
    """Of each picture: the angle of its longest axis, its extent across, and where its light lies."""
    ink = (images[:, 0] > 0).astype(float)
    side = images.shape[-1]
    y, x = np.mgrid[:side, :side]
    total = ink.sum((1, 2))
    mx, my = ((ink * axis).sum((1, 2)) / total for axis in (x, y))
    dx, dy = x - mx[:, None, None], -(y - my[:, None, None])
    xx, xy, yy = ((ink * a * b).sum((1, 2)) / total for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    light = (images[:, 0] * dx).sum((1, 2)) / images[:, 0].sum((1, 2))
    return {"rotation": np.arctan2(2 * xy, xx - yy) / 2, "area": total, "light": light}


def test_each_factor_is_in_the_picture() -> None:
    labels, drawn = known(2000)
    images = draw(labels, drawn, 28)
    seen = moments(images)
    for k, name in enumerate(FIGURES):
        own = labels == k
        assert abs(stats.spearmanr(seen["light"][own], drawn["light"][own]).statistic) > 0.9, name
        assert stats.spearmanr(seen["area"][own], drawn["width"][own]).statistic > 0.9, name
    bars = labels == 0
    off = seen["rotation"][bars] - np.pi / 2 - drawn["rotation"][bars]
    assert np.abs((off + np.pi / 2) % np.pi - np.pi / 2).mean() < 0.05


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
def test_sizes(size: int, load: Any) -> None:
    assert load("sprites", size=size, limit=20).shape == (1, size, size)


def test_factors_that_do_not_fit_are_refused(load: Any) -> None:
    import dataclasses

    data = load("sprites", limit=20)
    with pytest.raises(DataError, match="factors that are not"):
        dataclasses.replace(data, factors=("rotation",))
