"""DeepFool: the nearest boundary of the model made linear, again and again."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.boundary_tilting.attacks.found import Batch, Found, Model, spread

LEAST = 1e-4
"""Added to the difference of logits that a step makes up for, as in the authors' code, so that it crosses."""


def deepfool(
    model: Model, x: Tensor, y: Tensor, steps: int = 50, overshoot: float = 0.02, candidates: int = 10
) -> Found:
    """Small Euclidean perturbations (Moosavi-Dezfooli, Fawzi and Frossard, 2016, algorithm 2).

    Arguments:
        overshoot: share by which the sum of steps is made longer.
        candidates: the classes of highest logits that are looked at, the image's own among them.
    """
    batch = Batch(model, x, y)
    start, label = x[batch.at], y[batch.at]
    total, now = torch.zeros_like(start), start
    for _ in range(steps):
        if not len(now):
            break
        logits, slopes, others = _slopes(model, now, label, candidates)
        left = batch.settle(now, logits.argmax(1) != label)
        start, label, total = start[left], label[left], total[left]
        slopes, others = slopes[left], others[left]
        away = logits[left].gather(1, others) - logits[left].gather(1, label[:, None])
        lengths = slopes.flatten(2).norm(dim=2).clamp(min=torch.finfo(x.dtype).tiny)
        nearest = (away.abs() / lengths).argmin(1)
        rows = torch.arange(len(start), device=x.device)
        step = (away[rows, nearest].abs() + LEAST) / lengths[rows, nearest].square()
        total = total + spread(step, start) * slopes[rows, nearest]
        now = (start + (1 + overshoot) * total).clamp(0, 1)
    if len(now):
        with torch.no_grad():
            batch.settle(now, model(now).argmax(1) != label)
    return batch.found


def _slopes(model: Model, x: Tensor, y: Tensor, candidates: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits `[B, K]`; gradients `[B, k, ...]` of other classes' logits less that of the image's own; and
    which classes, int64 `[B, k]`."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)
        order = logits.detach().clone()
        order[torch.arange(len(x)), y] = -torch.inf
        others = order.topk(min(candidates, logits.shape[1]) - 1, dim=1).indices
        away = logits.gather(1, others) - logits.gather(1, y[:, None])
        last = others.shape[1] - 1
        found = [torch.autograd.grad(one.sum(), x, retain_graph=k < last)[0] for k, one in enumerate(away.T)]
    return logits.detach(), torch.stack(found, 1), others
