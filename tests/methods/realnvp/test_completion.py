"""Filling in pixels, against a Gaussian whose likeliest completion is known, and change of variables."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from methods.realnvp.completion import Completer, completed, free_pixels
from methods.realnvp.config import CompleteConfig
from methods.realnvp.logit import Logit
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import flow

CONFIG = CompleteConfig("right", 4, 400, 0.05, ("mean", "sample", "neighbour"), "logit", False)


class Linear(nn.Module):
    """z = A y: a Gaussian with precision A' A, whose conditional mean solves a linear system."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.matrix = torch.eye(16) + 0.3 * torch.randn(16, 16, generator=generator)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        z = (y.flatten(1) @ self.matrix.T).reshape(y.shape)
        return z, torch.linalg.slogdet(self.matrix)[1].expand(len(y))

    def sample(self, noise: Tensor) -> Tensor:
        return torch.linalg.solve(self.matrix, noise.flatten(1).T).T.reshape(noise.shape)


def completer(model: Any = None, **changes: Any) -> Completer:
    model = Linear() if model is None else model
    return Completer(cast(RealNVP, model), Logit(17), CompleteConfig(**{**vars(CONFIG), **changes}))


def likeliest(model: Linear, y: Tensor, free: Tensor) -> Tensor:
    """The conditional mean: zero gradient of |A y|^2 in the free pixels."""
    precision = model.matrix.T @ model.matrix
    hidden = free.flatten() > 0
    rows = precision[hidden]
    moved = torch.linalg.solve(rows[:, hidden], -rows[:, ~hidden] @ y.flatten(1)[:, ~hidden].T).T
    found = y.flatten(1).clone()
    found[:, hidden] = moved
    return found.reshape(y.shape)


def test_the_completion_is_the_conditional_mean_of_a_gaussian() -> None:
    one, free = completer(), free_pixels("right", 4, 4)
    y = 0.5 * torch.randn(8, 1, 4, 4)
    found = one.complete(torch.where(free > 0, torch.zeros_like(y), y), free)
    wanted = likeliest(cast(Linear, one.flow), y, free)
    assert wanted.abs().max() < math.log(19), "within the range of pixels, or the test says nothing"
    torch.testing.assert_close(found.y, wanted, atol=2e-3, rtol=0)
    assert torch.equal(found.y[..., :2], y[..., :2]), "what is seen stays as it is"
    assert bool((found.nats <= found.start).all())
    assert found.evaluations == 401


def test_langevin_steps_have_the_conditional_spread() -> None:
    one, free = completer(langevin=True, rate=0.02, steps=400), free_pixels("right", 4, 4)
    y = torch.zeros(4000, 1, 4, 4)
    torch.manual_seed(0)
    found = one.complete(y, free).y[..., 2:].flatten(1)
    precision = cast(Linear, one.flow).matrix.T @ cast(Linear, one.flow).matrix
    hidden = free.flatten() > 0
    covariance = torch.linalg.inv(precision[hidden][:, hidden])
    assert found.std(0).mean().item() == pytest.approx(covariance.diagonal().sqrt().mean().item(), rel=0.1)


@pytest.mark.parametrize("space", ["logit", "pixel"])
def test_densities_change_with_the_space_as_calculus_says(space: str) -> None:
    model = flow((1, 4, 4))
    one, y = completer(model, space=space), torch.randn(3, 1, 4, 4, dtype=torch.float64)
    jacobians = [torch.autograd.functional.jacobian(lambda p: model(p[None])[0][0], image) for image in y]
    if space == "pixel":  # of the map from p = sigmoid(y) to z
        pixels = y.sigmoid()
        jacobians = [
            torch.autograd.functional.jacobian(lambda p: model(torch.logit(p)[None])[0][0], p) for p in pixels
        ]
    log_det = torch.linalg.slogdet(torch.stack(jacobians).reshape(3, 16, 16))[1]
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(model(y)[0]).flatten(1).sum(1)
    torch.testing.assert_close(one.nats(y), -(prior + log_det))


def test_the_best_of_several_starts_is_the_likeliest_for_each_image() -> None:
    one, free = completer(steps=1), free_pixels("bottom", 4, 4)
    y = torch.randn(6, 1, 4, 4)
    starts = [torch.full_like(y, 0.3), torch.full_like(y, -2.0), torch.randn_like(y)]
    each = torch.stack([one.complete(torch.where(free > 0, start, y), free).nats for start in starts])
    found = one.best(y, free, starts)
    assert torch.equal(found.nats, each.min(0).values)
    torch.testing.assert_close(one.nats(found.y), found.nats)


@pytest.mark.parametrize(
    ("hidden", "where"),
    [("right", (0, 3)), ("left", (3, 0)), ("top", (0, 0)), ("bottom", (3, 3))],
)
def test_half_of_the_pixels_is_hidden(hidden: str, where: tuple[int, int]) -> None:
    free = free_pixels(hidden, 4, 4)
    assert free.sum() == 8
    assert free[0, 0, where[0], where[1]] == 1


def test_what_is_reported_is_measured_on_hidden_pixels() -> None:
    images, train = torch.randint(17, (5, 1, 4, 4)), torch.randint(17, (50, 1, 4, 4))
    found, pictures = completed(completer(steps=20), images, train, torch.Generator().manual_seed(0))
    truth, ours, _ = pictures
    assert torch.equal(truth[..., :2], ours[..., :2])
    pixels = [(y.sigmoid() - 0.05) / 0.9 for y in (truth, ours)]
    error = (pixels[0] - pixels[1])[..., 2:].square().flatten(1).mean(1).sqrt()
    torch.testing.assert_close(found["complete/rmse"], error)
    torch.testing.assert_close(
        found["complete/nats_minus_truth"], found["complete/nats"] - found["complete/nats_truth"]
    )
    assert found["complete/evaluations"] == 3 * 21
