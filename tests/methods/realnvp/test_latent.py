"""Looks at the latent space, against what a linear flow must give."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from methods.realnvp.latent import between, compressed, manifold
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import flow, normal


class Double(nn.Module):
    """z = 2 y on one channel of 2x2 pixels, the left column leaving at scale 0."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * y, y.new_full((len(y),), 4 * math.log(2))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z / 2, z.new_full((len(z),), -4 * math.log(2))

    def latent_scale(self) -> Tensor:
        return torch.tensor([[[0, 1], [0, 1]]])


DOUBLE = cast(RealNVP, Double())


def test_the_midpoint_of_latents_has_the_norm_of_its_ends() -> None:
    images, noise = torch.randint(17, (8, 1, 2, 2)), torch.rand(8, 1, 2, 2, dtype=torch.float64)
    logit = Logit(17)
    found = between(DOUBLE, logit, images, noise)
    y = logit(images, noise)[0]
    path = (y[::2] + y[1::2]) / math.sqrt(2)
    w = ((images + noise)[::2] + (images + noise)[1::2]) / 2 / 17
    blend = torch.logit(0.05 + 0.9 * w)
    normal_nats = [
        -torch.distributions.Normal(0.0, 1.0).log_prob(2 * one).flatten(1).sum(1) for one in (path, blend)
    ]
    torch.testing.assert_close(found["interpolate/nats_minus_blend"], normal_nats[0] - normal_nats[1])
    assert found["interpolate/nats_minus_blend"].shape == (4,)
    assert found["interpolate/reconstruction_error"].max() < 1e-12


def test_the_manifold_goes_through_its_corners() -> None:
    """At angles 0 and a right angle each of the four images comes back."""
    model, y = flow((1, 4, 4)), normal(4, 1, 4, 4)
    found = manifold(model, y, side=4).reshape(4, 4, 1, 4, 4)
    for place, corner in (((0, 0), 0), ((0, 1), 1), ((1, 0), 2), ((1, 1), 3)):
        torch.testing.assert_close(found[place], y[corner], atol=1e-6, rtol=1e-6)


def test_left_out_latents_are_zero_or_drawn() -> None:
    images, noise = torch.randint(17, (64, 1, 2, 2)), torch.rand(64, 1, 2, 2, dtype=torch.float64)
    logit = Logit(17)
    found, (picture,) = compressed(DOUBLE, logit, images, noise, torch.Generator().manual_seed(0))
    y = logit(images, noise)[0]
    assert torch.equal(picture[..., 1], y[..., 1]), "the coarse ones are kept"
    assert not picture[..., 0].any()
    w = (images + noise) / 17
    wanted = ((w[..., 0] - 0.5).square().sum((1, 2)) / 4).sqrt()  # a zero is the middle grey
    torch.testing.assert_close(found["compress/rmse_zero_1"], wanted)
    assert set(found) == {"compress/rmse_zero_1", "compress/rmse_drawn_1"}
