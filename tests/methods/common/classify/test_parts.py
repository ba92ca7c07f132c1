"""Inputs, intervals and quantiles against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from datasets.stores import MemoryStore, StoredSplit
from methods.common.classify.inputs import Binary, Standardise
from methods.common.classify.intervals import wilson
from methods.common.classify.listen import preactivations
from methods.common.classify.quantiles import quantiles
from methods.common.schedules import step_decay
from tests.methods.common.classify.settings import Few


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (7, 10), (795, 1000), (1, 3)])
def test_wilsons_interval(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_standardised_pixels_have_mean_nothing_and_deviation_one() -> None:
    split = Few(64, 0, (3, 8, 8))
    split.images[:, 1] = 7
    prepare = Standardise(3)
    prepare.fit(split)
    out = prepare(split.images)
    assert out.mean((0, 2, 3)).abs().max() < 1e-5
    assert out.std((0, 2, 3), correction=0).tolist() == pytest.approx([1, 0, 1], abs=1e-5)


def test_pixels_are_standardised_by_images_that_were_not_augmented() -> None:
    split = Few(64, 0, (1, 8, 8))
    spoilt = StoredSplit(MemoryStore(split.images), split.labels, crop=8)
    prepare = Standardise(1)
    prepare.fit(spoilt)
    assert float(prepare.mean) == pytest.approx(float(split.images.double().mean()))


def test_binary_pixels() -> None:
    assert Binary(17)(torch.tensor([0, 8, 9, 16])).tolist() == [0, 0, 1, 1]
    assert Binary(256)(torch.tensor([127, 128], dtype=torch.uint8)).tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, 2, 101, 1000])
def test_quantiles_are_numpys(count: int) -> None:
    values, levels = torch.randn(count), torch.tensor([0.0, 0.15, 0.5, 0.85, 1.0])
    expected = np.quantile(values.numpy(), levels.numpy())
    np.testing.assert_allclose(quantiles(values, levels).numpy(), expected, atol=1e-5)


def test_what_nonlinearities_receive() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2), nn.Sigmoid())
    x = torch.randn(5, 3)
    found = preactivations(model, x)
    assert list(found) == ["1", "3"]
    torch.testing.assert_close(found["1"], model[0](x))
    torch.testing.assert_close(found["3"], model[2](model[0](x).relu()))
    assert not model[1]._forward_pre_hooks


def test_steps_of_the_rate() -> None:
    scheduler_steps = [step_decay(step, 0.1, (0.3, 0.6, 0.9), 0.1, 100) for step in range(100)]
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60, 90])
    for rate in scheduler_steps:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
