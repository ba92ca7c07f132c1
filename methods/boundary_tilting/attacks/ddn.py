"""Decoupled direction and norm."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from methods.boundary_tilting.attacks.found import Batch, Found, Model, slope, spread, unit


def ddn(
    model: Model, x: Tensor, y: Tensor, steps: int = 100, first: float = 1.0, gamma: float = 0.05
) -> Found:
    """Small Euclidean perturbations: steps along the gradient, on a sphere that shrinks by `gamma` where the
    image on it is misclassified and grows where it is not (Rony et al., 2019, algorithm 1).

    Arguments:
        first: radius to begin with.
    """
    batch = Batch(model, x, y)
    start, label = x[batch.at], y[batch.at]
    delta, radius = torch.zeros_like(start), torch.full_like(start[:, 0].flatten(1)[:, 0], first)
    best, least = start.clone(), torch.full_like(radius, torch.inf)
    for step in range(steps):
        now = start + delta
        logits, gradient = slope(model, now, partial(cross_entropy, target=label, reduction="sum"))
        wrong, norm = logits.argmax(1) != label, delta.flatten(1).norm(dim=1)
        better = wrong & (norm < least)
        best[better], least[better] = now[better], norm[better]
        rate = 0.01 + 0.5 * (1 - 0.01) * (1 + math.cos(math.pi * step / steps))
        delta = delta + rate * unit(gradient)
        radius = torch.where(wrong, (1 - gamma) * torch.minimum(radius, norm), (1 + gamma) * radius)
        delta = unit(delta) * spread(radius, delta)
        delta = (start + delta).clamp(0, 1) - start
    with torch.no_grad():
        now = start + delta
        norm = delta.flatten(1).norm(dim=1)
        better = (model(now).argmax(1) != label) & (norm < least)
    best[better], least[better] = now[better], norm[better]
    batch.settle(best, least < torch.inf)
    return batch.found
