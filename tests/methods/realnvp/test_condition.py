"""Flows that are told something: halves and classes, exact likelihoods given them, and that it helps."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from datasets.types import ImageBatch, Images
from methods.realnvp.condition import Condition
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import config, normal, randomise
from tests.methods.realnvp.test_method import evaluate, stage


def images(shape: tuple[int, int, int] = (1, 4, 4), classes: int = 3) -> Images:
    names = tuple(str(i) for i in range(classes))
    return cast(Images, SimpleNamespace(shape=shape, levels=17, classes=names))


def batch(shape: tuple[int, int, int] = (1, 4, 4), count: int = 5) -> ImageBatch:
    return ImageBatch(torch.randint(17, (count, *shape), dtype=torch.uint8), torch.arange(count) % 3)


def test_halves_are_taken_apart_and_put_together() -> None:
    one, given = Condition("half", images()), batch()
    right, left = one(given)
    assert one.shape == (1, 4, 2)
    assert torch.equal(right, given.images[..., 2:])
    assert left is not None
    assert torch.equal(left * 16, given.images[..., :2].float())
    assert torch.equal(one.shown(right, left), given.images)


def test_a_half_that_is_not_seen_is_zero() -> None:
    right, left = Condition("half_unseen", images())(batch())
    assert left is not None
    assert not left.any()
    assert right.shape == left.shape == (5, 1, 4, 2)


def test_a_class_is_a_plane_of_ones() -> None:
    one, given = Condition("class", images()), batch()
    whole, planes = one(given)
    assert torch.equal(whole, given.images)
    assert planes is not None
    assert planes.shape == (5, 3, 4, 4)
    assert torch.equal(planes.argmax(1)[:, 0, 0], given.labels)
    assert bool((planes.sum(1) == 1).all())


def test_an_odd_width_has_no_halves() -> None:
    with pytest.raises(ValueError, match="needs an even width, but images are 4x5"):
        Condition("half", images((1, 4, 5)))


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 4, 2)])
def test_the_likelihood_given_a_context_is_exact(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    flow = RealNVP(shape, config(n_scale=1 if shape[2] == 2 else 2), context=3).double().eval()
    randomise(flow)
    y, context = normal(2, *shape), torch.rand(2, 3, *shape[1:], dtype=torch.float64)
    size = math.prod(shape)
    jacobians = [
        torch.autograd.functional.jacobian(lambda one, i=i: flow(one[None], context[i : i + 1])[0][0], y[i])
        for i in range(2)
    ]
    wanted = torch.linalg.slogdet(torch.stack(jacobians).reshape(2, size, size))[1]
    z, log_det = flow(y, context)
    torch.testing.assert_close(log_det, wanted)
    back, inverse_log_det = flow.inverse(z, context)
    torch.testing.assert_close(back, y)
    torch.testing.assert_close(inverse_log_det, -log_det)
    assert (flow(y, 1 - context)[0] - z).abs().max() > 1e-3, "every context is another flow"


@pytest.mark.parametrize("kind", ["class", "half", "half_unseen"])
def test_a_stage_measures_what_it_models(kind: str) -> None:
    made = stage(condition=kind)
    size = 64 if kind == "class" else 32
    assert made.dimensions == size
    found = evaluate(made)
    assert found["test/nats"] == pytest.approx(found["test/bits_per_dim"] * size * math.log(2), rel=1e-6)
    pictures: dict[str, Any] = made.figures()
    assert set(pictures) == {"samples", "temperatures", "reconstructions"}
