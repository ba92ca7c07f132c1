"""Digits between parts of two others show what is known of them."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import interpolate

from datasets.config import StripsConfig
from datasets.digit_strips import CONTRAST, PLACES, SIZES, SOURCES, draw, enlarge, factors, known, pool
from datasets.digits import SIZES as POOL
from datasets.types import Access, DataError
from runner.errors import ConfigError
from runner.schema import build


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, part after part."""
    access = Access(None, None, tmp_path_factory.mktemp("cache"), False, 1)
    return pool(SOURCES["digits"].read(access))


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    return known(POOL)


def first(drawn: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    return {name: values[:count] for name, values in drawn.items()}


def told(drawn: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, np.ndarray]:
    found = factors(drawn, labels, tuple("0123456789"))
    return {factor.name: values for factor, values in found.items()}


@pytest.mark.parametrize(
    ("size", "expected"), [(16, "aa6c86bb0096c01f"), (32, "8cbfb67bdcfe92f5"), (64, "d28e7e00769e5e66")]
)
def test_the_bytes_are_what_they_were(size: int, expected: str, source: Any, drawn: Any) -> None:
    images = draw(source[0], first(drawn, 16), size, 22)
    assert images.shape == (16, 1, size, size)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == expected


@pytest.mark.parametrize("size", [16, 32, 64])
def test_light_and_contrast_are_in_the_picture(size: int, source: Any, drawn: Any) -> None:
    few = first(drawn, 1000)
    images = draw(source[0], few, size, 22).reshape(1000, -1).astype(float)
    ground = np.quantile(images, 0.05, axis=1)
    truth = told(few, source[1])
    assert stats.spearmanr(ground, truth["light"]).statistic > 0.99
    assert stats.spearmanr(images.max(1) - ground, truth["contrast"]).statistic > 0.95


def test_the_digits_are_where_they_are_said_to_be(source: Any, drawn: Any) -> None:
    """The nearest training pictures, in the columns where a digit should be, have the same one."""
    rows = np.r_[:6000, 22_000:23_000]
    few = {name: values[rows] for name, values in drawn.items()}
    images = draw(source[0], few, 32, 22)[:, 0].astype(float)
    low, high = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    images = (images - low) / (high - low)
    truth = told(few, source[1]) | {"middle": source[1][few["middle"]]}
    columns = {"left": slice(0, 8), "middle": slice(6, 26), "right": slice(24, 32)}
    right = {}
    for place in PLACES:
        pixels = images[:, :, columns[place]].reshape(len(images), -1)
        model = KNeighborsClassifier(5).fit(pixels[:6000], truth[place][:6000])
        right[place] = model.score(pixels[6000:], truth[place][6000:])
    assert right["middle"] > 0.85, right
    assert min(right["left"], right["right"]) > 0.4, right


def test_factors_are_uniform_and_independent(source: Any, drawn: Any) -> None:
    truth = told(drawn, source[1])
    for name, (low, high) in {"light": (0, 1), "contrast": CONTRAST}.items():
        assert stats.kstest(truth[name], stats.uniform(low, high - low).cdf).pvalue > 1e-3
    columns = [*truth.values(), source[1][drawn["middle"]], drawn["x"], drawn["y"]]
    for k, column in enumerate(columns):
        assert all(abs(stats.spearmanr(column, other).statistic) < 0.03 for other in columns[:k])


def test_no_digit_is_seen_in_two_parts(drawn: Any) -> None:
    starts = np.cumsum([0, *POOL.values()])
    ends = np.cumsum([0, *SIZES.values()])
    for k in range(3):
        used = np.concatenate([drawn[place][ends[k] : ends[k + 1]] for place in PLACES])
        assert (starts[k], starts[k + 1] - 1) == (used.min(), used.max())
        assert len(np.unique(used)) == starts[k + 1] - starts[k], "all of the part are used"


def test_the_source_is_its_own_parts_one_after_the_other(source: Any, load: Any) -> None:
    data = load("digits")
    images, labels = source
    for part, start in (("validation", POOL["train"]), ("test", POOL["train"] + POOL["validation"])):
        batch = getattr(data, part).batch(torch.arange(POOL[part]))
        assert np.array_equal(labels[start : start + POOL[part]], batch.labels)
        assert np.array_equal(
            images[start : start + POOL[part]], (batch.images[:, 0].double() * 255 / 16 + 0.5).floor()
        )


@pytest.mark.parametrize(("before", "after"), [(8, 22), (8, 44), (28, 28), (28, 14), (28, 9), (8, 11)])
def test_enlarging_is_torchs_antialiased_bilinear_resize(before: int, after: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, before, before), dtype=np.uint8)
    values = torch.from_numpy(images)[:, None].double()
    expected = interpolate(values, (after, after), mode="bilinear", antialias=True)[:, 0]
    assert np.abs(enlarge(images, after) - expected.numpy()).max() < 0.51


def test_parts_factors_and_classes_stay_aligned(load: Any, source: Any, drawn: Any) -> None:
    data = load("digit_strips")
    assert (data.shape, data.levels, data.classes) == ((1, 32, 32), 256, tuple("0123456789"))
    assert data.factors == ("light", "contrast", "left", "right")
    assert [factor.values for factor in data.known] == [(), (), data.classes, data.classes]
    truth, start = told(drawn, source[1]), 0
    for part, size in SIZES.items():
        split = getattr(data, part)
        assert len(split) == size
        for k, name in enumerate(data.factors):
            np.testing.assert_allclose(split.factors[:, k], truth[name][start : start + size], rtol=1e-6)
        start += size
    few = load("digit_strips", classes=("7", "1"), limit=40)
    label = source[1][drawn["middle"]]
    numbers = np.flatnonzero(np.isin(label[: SIZES["train"]], (7, 1)))[:40]
    batch = few.train.batch(torch.arange(40))
    assert np.array_equal(batch.labels, (label[numbers] == 1).astype(int))
    assert torch.equal(batch.images, data.train.batch(torch.from_numpy(numbers)).images)
    assert torch.equal(few.train.factors, data.train.factors[numbers])
    assert few.train.plain.factors is few.train.factors


@pytest.mark.parametrize(("key", "value", "none"), [("flip", True, "false"), ("crop", 2, "0")])
def test_flips_and_crops_are_refused(key: str, value: Any, none: str, load: Any) -> None:
    asked = str(value).lower()
    said = rf"^dataset\.{key}={asked} would falsify .* left and right; give dataset\.{key}={none}$"
    with pytest.raises(DataError, match=said):
        load("digit_strips", **{key: value})


def test_an_unknown_source_is_a_sentence(settings: Any) -> None:
    values = dataclasses.asdict(settings("digit_strips")) | {"source": "svhn"}
    said = r"dataset\.source=svhn is not one of digits, mnist, fashion_mnist"
    with pytest.raises(ConfigError, match=said):
        build(StripsConfig, values, "dataset", "conf/dataset/digit_strips.yaml")


def test_a_source_that_is_not_there_is_named(load: Any) -> None:
    with pytest.raises(DataError, match=r"^mnist lacks train-images-idx3-ubyte\.gz"):
        load("digit_strips", source="mnist")
