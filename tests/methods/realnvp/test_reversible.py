"""Backpropagation without activations: plain autograd's gradients, moments, and memory that stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods.realnvp.checks import saved_bytes
from methods.realnvp.density import standard_normal
from methods.realnvp.multiscale import RealNVP
from tests.methods.realnvp.settings import config, randomise

SHAPE = (2, 8, 8)
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no norms": {"flow_bn": "none", "net_norm": "none"},
    "dropout": {"dropout": 0.3},
    "additive": {"coupling": "additive"},
    "fixed mask": {"mask": "fixed"},
    "three scales": {"n_scale": 3},
    "checkerboard squeeze": {"squeeze_mask": "checkerboard"},
    "authors' moments": {"tf_compat": True},
    "no factoring": {"factor_out": False},
}


def made(reversible: bool, context: int = 0, **changes: Any) -> RealNVP:
    flow = RealNVP(SHAPE, config(width=8, reversible=reversible, **changes), context)
    randomise(flow)
    with torch.no_grad():  # weights of that size would make the flow explode in float32
        for parameter in flow.parameters():
            parameter.mul_(0.5)
    return flow


def gradients(flow: RealNVP, y: Tensor, context: Tensor | None = None) -> list[Tensor]:
    torch.manual_seed(5)
    y = y.clone().requires_grad_()
    z, log_det = flow(y, context) if context is not None else flow(y)
    (-(standard_normal(z) + log_det).mean()).backward()
    assert y.grad is not None
    return [y.grad, *(p.grad for p in flow.parameters() if p.grad is not None)]


def apart(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference of two gradients, in units of the largest entry of all (which is above 1)."""
    assert len(ours) == len(theirs)
    largest = max(gradient.abs().max().item() for gradient in theirs)
    assert largest > 1
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)) / largest


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_are_plain_autograds(name: str, training: bool) -> None:
    both = [made(reversible, **VARIANTS[name]).train(training) for reversible in (True, False)]
    y = torch.randn(6, *SHAPE)
    assert apart(gradients(both[0], y), gradients(both[1], y)) < 1e-5
    for ours, theirs in zip(both[0].buffers(), both[1].buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg="running moments move once")


def test_gradients_in_double_precision_are_exact() -> None:
    both = [made(reversible).double().train() for reversible in (True, False)]
    y = torch.randn(6, *SHAPE, dtype=torch.float64)
    assert apart(gradients(both[0], y), gradients(both[1], y)) < 1e-11


def test_gradients_with_a_context() -> None:
    both = [made(reversible, context=3).train() for reversible in (True, False)]
    y, context = torch.randn(6, *SHAPE), torch.rand(6, 3, 8, 8)
    assert apart(gradients(both[0], y, context), gradients(both[1], y, context)) < 1e-5


def test_gradients_in_half_precision_are_as_good_as_plain_ones() -> None:
    truth = gradients(made(False).train(), y := torch.randn(6, *SHAPE))
    errors = []
    for reversible in (True, False):
        flow = made(reversible).train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            errors.append(apart(gradients(flow, y), truth))
    assert errors[0] < 2 * errors[1]


def test_memory_does_not_grow_with_the_number_of_couplings() -> None:
    y = torch.randn(16, *SHAPE)
    held = {
        (reversible, couplings): saved_bytes(made(reversible, couplings=couplings).train(), y)
        for reversible in (True, False)
        for couplings in (2, 8)
    }
    assert held[True, 8] <= 1.05 * held[True, 2], held
    assert held[False, 8] > 3 * held[False, 2], held


def test_moments_that_move_are_refused() -> None:
    with pytest.raises(ValueError, match="does not go with"):
        config(reversible=True, flow_bn="lag")
