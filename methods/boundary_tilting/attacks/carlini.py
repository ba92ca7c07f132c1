"""Carlini and Wagner's attack."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.boundary_tilting.attacks.found import Batch, Found, Model

INSIDE = 1 - 1e-6
"""How near to the ends of [0, 1] an image begins, where the change of variable is infinite."""


def carlini(
    model: Model,
    x: Tensor,
    y: Tensor,
    steps: int = 200,
    searches: int = 5,
    rate: float = 0.01,
    first: float = 1e-2,
    confidence: float = 0.0,
) -> Found:
    """Small Euclidean perturbations: Adam on ||delta||^2 + c max(0, z_y - max_other + confidence), images
    being (tanh(v) + 1) / 2; c is searched for by bisection (Carlini and Wagner, 2017, sections V and VI).

    Arguments:
        searches: values of c that are tried for each image.
        first: the first of them.
    """
    batch = Batch(model, x, y)
    start, label = x[batch.at], y[batch.at]
    at = torch.atanh((2 * start - 1) * INSIDE)
    low, high = (
        torch.zeros(len(start), dtype=x.dtype, device=x.device),
        torch.full((len(start),), torch.inf, dtype=x.dtype, device=x.device),
    )
    c = torch.full_like(low, first)
    best, least = start.clone(), torch.full_like(low, torch.inf)
    for _ in range(searches if len(start) else 0):
        v, hit = at.clone().requires_grad_(), torch.zeros(len(start), dtype=torch.bool, device=x.device)
        adam = torch.optim.Adam([v], rate)
        for _ in range(steps):
            with torch.enable_grad():
                now = (torch.tanh(v) + 1) / 2
                logits = model(now)
                own = logits.gather(1, label[:, None])[:, 0]
                other = logits.scatter(1, label[:, None], -torch.inf).amax(1)
                squared = (now - start).flatten(1).square().sum(1)
                loss = squared + c * (own - other + confidence).clamp(min=0)
                (v.grad,) = torch.autograd.grad(loss.sum(), v)
            wrong = logits.argmax(1) != label
            hit |= wrong
            better = wrong & (squared.detach() < least)
            best[better], least[better] = now.detach()[better], squared.detach()[better]
            adam.step()
        low, high = torch.where(hit, low, c), torch.where(hit, torch.minimum(high, c), high)
        c = torch.where(high < torch.inf, (low + high) / 2, 10 * c)
    batch.settle(best, least < torch.inf)
    return batch.found
