"""Large means, small spreads and half precision, against double precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.common.norm.batch import BatchNorm2d, BatchRenorm
from methods.common.norm.group import GroupNorm, InstanceNorm, LayerNorm

LAYERS = {
    "batch": lambda: BatchNorm2d(16),
    "group": lambda: GroupNorm(4, 16),
    "layer": lambda: LayerNorm(16),
    "instance": lambda: InstanceNorm(16),
}
layers = pytest.mark.parametrize("name", LAYERS)


def normal(mean: float, std: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return mean + std * torch.randn(8, 16, 8, 8, generator=generator, dtype=torch.float64)


@layers
@pytest.mark.parametrize("mean", [0.0, 1e2, 1e3, -1e3])
def test_a_large_mean_with_a_small_spread(name: str, mean: float) -> None:
    """In one pass the variance is off by 0.4 at a mean of 100, and negative at 1000."""
    x = normal(mean, 0.1).float()
    layer = LAYERS[name]()
    assert (layer(x).double() - LAYERS[name]().double()(x.double())).abs().max() <= 2e-3


@layers
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_once(name: str, dtype: torch.dtype) -> None:
    """As far from the truth as its own last digit: 2^-8 or 2^-11 of the value."""
    x = normal(3.0, 1.0).to(dtype)
    y, truth = LAYERS[name]()(x), LAYERS[name]().double()(x.double())
    assert y.dtype == dtype
    digit = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-11
    assert ((y.double() - truth).abs() <= 1.01 * digit * truth.abs() + 1e-6).all()


def test_statistics_stay_in_single_precision() -> None:
    layer = BatchNorm2d(16, momentum=None)
    layer(normal(3.0, 1.0).bfloat16())
    assert layer.running_mean.dtype == torch.float32
    expected = normal(3.0, 1.0).bfloat16().double().mean((0, 2, 3))
    assert (layer.running_mean.double() - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    "layer", [BatchNorm2d(16), BatchRenorm(16), GroupNorm(4, 16)], ids=lambda x: type(x).__name__
)
def test_autocast(layer: nn.Module) -> None:
    convolution = nn.Conv2d(16, 16, 1)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(convolution(normal(0.0, 1.0).float()))
    assert y.dtype == torch.bfloat16
    assert torch.isfinite(y).all()
