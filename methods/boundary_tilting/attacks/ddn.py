"""Decoupled direction and norm."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from methods.boundary_tilting.attacks.found import Batch, Found, Model, slope, spread, unit

GAIN = 1e-3
"""Share of a norm by which a smaller one counts as one."""


def ddn(
    model: Model,
    x: Tensor,
    y: Tensor,
    steps: int = 100,
    first: float = 1.0,
    gamma: float = 0.05,
    patience: int = 15,
) -> Found:
    """Small Euclidean perturbations: steps along the gradient, on a sphere that shrinks by `gamma` where the
    image on it is misclassified and grows where it is not (Rony et al., 2019, algorithm 1).

    Arguments:
        first: radius to begin with.
        patience: an image is done after so many steps in which its norm did not become smaller by a
            thousandth; the paper goes on to the end, which takes twice as long and makes a median norm
            smaller by a thousandth or two.
    """
    batch = Batch(model, x, y)
    start, label = x[batch.at], y[batch.at]
    now, best = start, start.clone()
    radius = torch.full((len(start),), first, dtype=x.dtype, device=x.device)
    least, waited = torch.full_like(radius, torch.inf), torch.zeros_like(radius)
    for step in range(steps):
        if not len(now):
            break
        logits, gradient = slope(model, now, partial(cross_entropy, target=label, reduction="sum"))
        wrong, norm = logits.argmax(1) != label, (now - start).flatten(1).norm(dim=1)
        gained = (wrong & (norm < (1 - GAIN) * least)) | (~wrong & (least == torch.inf))
        waited = torch.where(gained, 0, waited + 1)
        _keep(best, least, now, wrong, norm)
        radius = radius * torch.where(wrong, 1 - gamma, 1 + gamma)
        delta = now - start + _rate(step / steps) * unit(gradient)
        now = (start + unit(delta) * spread(radius, delta)).clamp(0, 1)
        left = batch.settle(best, waited >= patience)
        start, label, now, best = start[left], label[left], now[left], best[left]
        radius, least, waited = radius[left], least[left], waited[left]
    if len(now):
        with torch.no_grad():
            wrong = model(now).argmax(1) != label
        _keep(best, least, now, wrong, (now - start).flatten(1).norm(dim=1))
        batch.settle(best, least < torch.inf)
    return batch.found


def _keep(best: Tensor, least: Tensor, now: Tensor, wrong: Tensor, norm: Tensor) -> None:
    """Puts images that are misclassified nearer than before among the best."""
    nearer = wrong & (norm < least)
    best[nearer], least[nearer] = now[nearer], norm[nearer]


def _rate(done: float) -> float:
    """Length of a step, from 1 to 0.01 along half a cosine."""
    return 0.01 + 0.5 * (1 - 0.01) * (1 + math.cos(math.pi * done))
