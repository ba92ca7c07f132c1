"""Moments of layers' inputs against plain means over everything, and how they scatter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from methods.groupnorm.method import SIZES, channels, statistics
from methods.groupnorm.moments import Moments, layer_moments, scatter, unlike
from tests.methods.common.classify.settings import built, images


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5)
    ).eval()


def test_moments_are_those_of_all_values() -> None:
    model, x = network(), 100 + torch.randn(24, 2, 6, 6)
    (found,) = layer_moments(model, x.split(7)).values()
    inputs = model[0](x).double()
    torch.testing.assert_close(found.mean.mean(0), inputs.mean((0, 2, 3)))
    torch.testing.assert_close(found.variance, inputs.var((0, 2, 3), correction=0))
    mean, variance = found.of_batches(4)
    for i, batch in enumerate(inputs.split(4)):
        torch.testing.assert_close(mean[i], batch.mean((0, 2, 3)))
        torch.testing.assert_close(variance[i], batch.var((0, 2, 3), correction=0))


def test_without_a_norm_the_nonlinearities_are_looked_at() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Sigmoid())
    x = torch.randn(8, 1, 2, 2)
    found = layer_moments(model, [x])
    assert list(found) == ["2"]
    torch.testing.assert_close(found["2"].mean, model[1](x.flatten(1)).double())


def test_independent_images_scatter_with_the_square_root_of_their_number() -> None:
    """Of normal values: means by 1 / sqrt(n), variances by about sqrt(2 / n), in the population's units."""
    x = 5 + 3 * torch.randn(40_000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = Moments(x, (x - 5).square(), torch.full((4,), 5.0, dtype=torch.float64))
    for size in (16, 64):
        mean, variance = scatter(found, size)
        assert mean == pytest.approx(1 / math.sqrt(size), rel=0.03)
        assert variance == pytest.approx(math.sqrt(2 / size), rel=0.05)
    metrics, sizes, errors = statistics({"a": found, "b": found})
    assert tuple(sizes) == SIZES
    assert errors.shape == (2, len(SIZES), 2)
    assert metrics["statistics/mean_slope"] == pytest.approx(-0.5, abs=0.02)
    assert metrics["statistics/variance_slope"] == pytest.approx(-0.5, abs=0.05)


@pytest.mark.slow
def test_few_images_are_no_whole_population() -> None:
    """Over many draws of 64 images, of which batches of 32 are half, errors are those of endless images."""
    x = torch.randn(200, 64, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    zero = torch.zeros(40, dtype=torch.float64)
    squares = np.mean([np.square(scatter(Moments(one, one.square(), zero), 32)) for one in x], axis=0)
    # Against the population's own deviation, which 64 images have 63/64 of.
    assert math.sqrt(squares[0]) == pytest.approx(1 / math.sqrt(32), rel=0.02)
    assert math.sqrt(squares[1]) == pytest.approx(math.sqrt(2 / 32), rel=0.03)


def test_a_constant_channel_is_left_out() -> None:
    x = torch.randn(1000, 2, dtype=torch.float64)
    x[:, 1] = 3.0
    mean, variance = scatter(Moments(x, x.square(), torch.zeros(2, dtype=torch.float64)), 10)
    assert mean == pytest.approx(1 / math.sqrt(10), rel=0.15)
    assert math.isfinite(variance)


def test_unlike_channels_by_hand() -> None:
    """Means 0, 4 and deviations 1, 1: a spread of 2; deviations 1 to 5: their percentiles' ratio."""
    x = torch.tensor([[-1.0, 3.0], [1.0, 5.0]]).double()
    assert unlike(Moments(x, x.square(), torch.zeros(2).double()))[0] == pytest.approx(2)
    wide = torch.tensor([[-1.0], [1.0]]).double() * torch.arange(1.0, 6.0).double()
    ratio = unlike(Moments(wide, wide.square(), torch.zeros(5).double()))[1]
    low, high = np.quantile([1, 2, 3, 4, 5], [0.1, 0.9])
    assert ratio == pytest.approx(high / low)


def test_channels_are_reported_by_layer() -> None:
    made = built(network="resnet", data=images(64))
    found = channels(layer_moments(made.classifier.eval(), [made.data.train.images]))
    layers = [name for name in found if name.startswith("channels/mean_spread_")]
    assert len(layers) == 9
    assert found["channels/mean_spread"] == pytest.approx(np.mean([found[name] for name in layers]))
