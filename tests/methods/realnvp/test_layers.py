"""Layers in numbers by hand, with tensors laid out badly, and what must not change behind one's back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from methods.realnvp.baselines import PixelHistogram
from methods.realnvp.coupling import ChannelCoupling
from methods.realnvp.logit import Logit
from methods.realnvp.squeeze import squeeze_ordered, unsqueeze_ordered
from tests.methods.realnvp import reference
from tests.methods.realnvp.settings import config, flow, normal


class Constant(nn.Module):
    """A network whose output is one number everywhere."""

    def __init__(self, channels: int, value: float) -> None:
        super().__init__()
        self.channels, self.value = channels, value

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x.new_full((x.shape[0], self.channels, *x.shape[2:]), self.value)


def test_the_affine_coupling_in_numbers() -> None:
    """y = x exp(r tanh(a)) + a, where raw scale and translation are both a."""
    layer = ChannelCoupling(lambda out: Constant(out, 0.5), 2, scale_init=2.0)
    y, log_det = layer(torch.tensor([3.0, 5.0]).reshape(1, 2, 1, 1))
    s = 2 * math.tanh(0.5)
    assert y.flatten().tolist() == pytest.approx([3.0, 5 * math.exp(s) + 0.5])
    assert log_det.tolist() == pytest.approx([s])


@pytest.mark.parametrize("raw", [3.0, -3.0])
def test_the_scale_has_no_bound_but_the_learned_one(raw: float) -> None:
    layer = ChannelCoupling(lambda out: Constant(out, raw), 2, scale_init=4.0)
    assert layer(torch.ones(1, 2, 1, 1))[1].item() == pytest.approx(4 * math.tanh(raw))


def test_additive_couplings_have_one_zero_for_each_image() -> None:
    layer = ChannelCoupling(lambda out: Constant(out, 0.5), 4, affine=False)
    y, log_det = layer(torch.zeros(5, 4, 2, 2))
    assert log_det.tolist() == [0] * 5
    assert y[:, 2:].unique().tolist() == [0.5]


@pytest.mark.parametrize("changes", [{}, {"coupling": "additive"}, {"n_scale": 3}, {"factor_out": False}])
def test_tensors_that_are_not_contiguous_are_taken(changes: dict[str, Any]) -> None:
    made, x = flow((2, 8, 12), **changes), normal(2, 2, 8, 12)
    apart = torch.stack((x, -x), dim=-1)[..., 0]
    assert not apart.is_contiguous()
    for ours, expected in zip(made(apart) + made.inverse(apart), made(x) + made.inverse(x), strict=True):
        torch.testing.assert_close(ours, expected)


def test_odd_sides_at_the_coarsest_scale() -> None:
    """28 pixels halve to 14 and 7."""
    made, x = flow((1, 28, 28), n_scale=3), normal(2, 1, 28, 28)
    z, log_det = made(x)
    back, inverse_log_det = made.inverse(z)
    assert (back - x).abs().max() < 1e-9
    assert (log_det + inverse_log_det).abs().max() < 1e-8


@pytest.mark.parametrize("changes", [{}, {"coupling": "additive"}, {"flow_bn": "lag"}])
def test_gradients_reach_every_parameter(changes: dict[str, Any]) -> None:
    made = flow((1, 8, 8), **changes).train()
    z, log_det = made(normal(4, 1, 8, 8))
    # Weights that differ, for a plain sum of normalised values is constant.
    ((z * normal(*z.shape, seed=1)).sum() + log_det.sum()).backward()
    assert [
        name for name, p in made.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ] == []


def test_what_was_factored_out_is_left_alone_by_coarser_scales() -> None:
    made, x = flow((1, 8, 8)), normal(2, 1, 8, 8)
    fine = made.latent_scale() == 0
    before = made(x)[0]
    with torch.no_grad():
        for parameter in made.scales[1].parameters():
            parameter.add_(1)
    after = made(x)[0]
    assert torch.equal(before[:, fine], after[:, fine])
    assert (before[:, ~fine] != after[:, ~fine]).any()


def test_evaluation_draws_nothing_and_changes_nothing() -> None:
    made, x = flow((1, 8, 8), dropout=0.5), normal(2, 1, 8, 8)
    state, before = torch.get_rng_state(), {name: v.clone() for name, v in made.state_dict().items()}
    first, second = made(x), made(x)
    made.inverse(x)
    Logit(17)(torch.full((2, 1, 2, 2), 5), normal(2, 1, 2, 2).sigmoid())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_the_ordered_squeeze_is_the_one_hot_convolution() -> None:
    x = normal(2, 4, 6, 4)
    assert torch.equal(squeeze_ordered(x), reference.squeeze_ordered(x))
    assert torch.equal(unsqueeze_ordered(x), reference.unsqueeze_ordered(x))


def test_the_ranges_of_the_logits() -> None:
    """Black and white lie at logit(.05) and logit(.95), in the paper's variant at logit(.05) and beyond."""
    ends = torch.tensor([0, 255]).reshape(1, 1, 1, 2)
    noise = torch.tensor([0.0, 1.0 - 1e-9], dtype=torch.float64).reshape(1, 1, 1, 2)
    for variant, high in (("symmetric", 0.95), ("paper", 1.0)):
        y, _ = Logit(256, variant)(ends, noise)
        assert torch.sigmoid(y).flatten().tolist() == pytest.approx([0.05, high], abs=1e-6)


def test_samples_may_be_black_and_white() -> None:
    """The inverse reaches both ends of the grey scale, and counts what it has to clip."""
    y = torch.tensor([-9.0, 0.0, 9.0, math.log(0.0501 / 0.9499)]).reshape(1, 1, 2, 2)
    assert Logit(256).inverse(y).flatten().tolist() == [0, 128, 255, 0]
    assert Logit(256).clipped(y).tolist() == [0.5]


def test_histograms_of_digits_and_numpy() -> None:
    pixels = load_digits().images.astype(int).reshape(-1, 64)
    train, test = pixels[:1297], pixels[1297:]
    histogram = PixelHistogram((1, 8, 8), 17)
    histogram.add(torch.from_numpy(train[:700]).reshape(-1, 1, 8, 8))
    histogram.add(torch.from_numpy(train[700:]).reshape(-1, 1, 8, 8))
    counts = np.stack([np.bincount(column, minlength=17) for column in train.T])
    expected = -np.log2(((counts + 1) / (1297 + 17))[np.arange(64), test]).mean(axis=1)
    bits = histogram.bits_per_dim(torch.from_numpy(test).reshape(-1, 1, 8, 8))
    assert bits.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"betas": (0.9,)}, "betas"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"temperatures": ()}, "temperatures"),
        ({"temperatures": (-1.0,)}, "temperatures"),
        ({"tf_compat": True, "flow_bn": "none"}, "flow_bn"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**changes)
