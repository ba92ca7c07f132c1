"""Steps along the gradient of the loss, within a ball: FGSM and PGD."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from methods.boundary_tilting.attacks.found import Batch, Found, Model, slope, spread, unit

Norm = Literal["linf", "l2"]


def fgsm(model: Model, x: Tensor, y: Tensor, eps: float) -> Found:
    """One step of `eps` in the sign of the gradient (Goodfellow, Shlens and Szegedy, 2015)."""
    _, gradient = slope(model, x, partial(cross_entropy, target=y, reduction="sum"))
    moved = (x + eps * gradient.sign()).clamp(0, 1)
    with torch.no_grad():
        batch, wrong = Batch(model, x, y), model(moved).argmax(1) != y
    batch.settle(moved[batch.at], wrong[batch.at])
    return batch.found


def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    eps: float,
    norm: Norm = "linf",
    steps: int = 40,
    rate: float = 1 / 12,
    restart: bool = True,
) -> Found:
    """Steps along the gradient, projected onto a ball of radius `eps` (Madry et al., 2018); an image that is
    misclassified is done.

    Arguments:
        rate: length of a step, in radii.
        restart: whether to begin at a random place of the ball, uniform in it; else at `x`.
    """
    batch = Batch(model, x, y)
    start, label = x[batch.at], y[batch.at]
    now = (start + _random(start, eps, norm)).clamp(0, 1) if restart else start
    for _ in range(steps):
        if not len(now):
            break
        logits, gradient = slope(model, now, partial(cross_entropy, target=label, reduction="sum"))
        left = batch.settle(now, logits.argmax(1) != label)
        now, start, label, gradient = now[left], start[left], label[left], gradient[left]
        step = gradient.sign() if norm == "linf" else unit(gradient)
        now = (start + project(now + rate * eps * step - start, eps, norm)).clamp(0, 1)
    if len(now):
        with torch.no_grad():
            batch.settle(now, model(now).argmax(1) != label)
    return batch.found


def project(delta: Tensor, eps: float, norm: Norm) -> Tensor:
    """The nearest to `delta` `[B, ...]` in the ball of radius `eps`."""
    if norm == "linf":
        return delta.clamp(-eps, eps)
    length = delta.flatten(1).norm(dim=1)
    return delta * spread((eps / length.clamp(min=eps)), delta)


def _random(like: Tensor, eps: float, norm: Norm) -> Tensor:
    """Uniform in the ball of radius `eps`."""
    if norm == "linf":
        return eps * (2 * torch.rand_like(like) - 1)
    numbers = like[0].numel() if len(like) else 1
    radius = torch.rand(len(like), device=like.device, dtype=like.dtype) ** (1 / numbers)
    return unit(torch.randn_like(like)) * spread(eps * radius, like)
