"""Linear systems of M tasks at once, of which only products are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""Vectors `[M, D]` to the products of each task's symmetric matrix with its own."""


class Solved(NamedTuple):
    """Attributes:
    x: solutions `[M, D]`.
    residual: norm of b - A x over that of b, `[M]`; 0 where b is 0.
    negative: tasks that stopped because a direction had no positive curvature, bool `[M]`.
    steps: steps that each task took, int64 `[M]`.
    """

    x: Tensor
    residual: Tensor
    negative: Tensor
    steps: Tensor


def conjugate_gradient(product: Product, b: Tensor, steps: int, tol: float = 0.0) -> Solved:
    """Solves A x = b for each task from x = 0 (Hestenes and Stiefel, 1952).

    A task ends when its residual is `tol` of |b| or less, and when it meets a direction p along which p A p
    is not positive, or no number: there A is not positive definite, and the present x is as far as it goes.
    """
    x, r, p = torch.zeros_like(b), b.clone(), b.clone()
    size = r.square().sum(-1)
    bound = size * tol**2
    negative = torch.zeros_like(size, dtype=torch.bool)
    taken = torch.zeros_like(size, dtype=torch.int64)
    going = ~(size <= bound)
    for _ in range(steps):
        if not going.any():
            break
        ap = product(p)
        curvature = (p * ap).sum(-1)
        negative |= going & ~(curvature > 0)
        going = going & (curvature > 0)
        alpha = torch.where(going, size / torch.where(going, curvature, 1), 0)
        x, r = x + alpha[:, None] * p, r - alpha[:, None] * ap
        now = r.square().sum(-1)
        beta = torch.where(going, now / torch.where(size > 0, size, 1), 0)
        p = r + beta[:, None] * p
        taken += going
        size = torch.where(going, now, size)
        going = going & ~(size <= bound)
    whole = b.square().sum(-1)
    residual = (size / torch.where(whole > 0, whole, 1)).sqrt()
    return Solved(x, residual, negative, taken)


def neumann(product: Product, b: Tensor, steps: int) -> Solved:
    """The first `steps` + 1 terms of the sum of (I - A)^k b, which converges where |I - A| < 1
    (Lorraine, Vicol and Duvenaud, AISTATS 2020)."""
    x, term = b.clone(), b
    for _ in range(steps):
        term = term - product(term)
        x = x + term
    left, whole = (b - product(x)).norm(dim=-1), b.norm(dim=-1)
    none = torch.zeros(len(b), dtype=torch.bool, device=b.device)
    return Solved(
        x, left / torch.where(whole > 0, whole, 1), none, torch.full_like(none, steps, dtype=torch.int64)
    )
