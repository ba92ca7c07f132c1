"""Newton's method for a regularised risk: 0.5 ||w||^2 + C sum_i loss(y_i (w . x_i + b)), the offset free.

The objective is scikit-learn's. In that of Tanay and Griffin's follow-up, the mean loss + lambda ||w||^2,
lambda is 1 / (2 C n).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.boundary_tilting.linear.losses import Loss, Slopes

ROUNDS = 500
HALVINGS = 60
ENOUGH = 1e-4
"""Share of the decrease that the slope promises which a step must bring (Armijo)."""

ROUNDING = 1e-14
"""Share of the risk within which two values of it are taken to be the same."""

SMALL = 1e-9
"""Points whose second derivative is less than this share of the largest are left out of the Hessian, which
only guides the step; the gradient that ends the search has all of them."""


class Fit(NamedTuple):
    """Weights `[d]`, offset `[]`, and the rounds that it took."""

    w: Tensor
    b: Tensor
    rounds: int


def newton(
    x: Tensor, y: Tensor, c: float, loss: Loss, start: Fit | None = None, tolerance: float = 1e-7
) -> Fit:
    """Minimises the regularised risk of points `[n, d]` with labels -1 and 1, both float64.

    It ends where the gradient of `w` is at most `tolerance` times as long as `w`, and that of `b` that share
    of the losses' slopes. The objective is 1-strongly convex in `w`, so that the direction of the solution is
    then known to about `tolerance` radians.

    Raises:
        ArithmeticError: where that is not reached.
    """
    w, b = (start.w, start.b) if start else (x.new_zeros(x.shape[1]), x.new_zeros(()))
    margin = y * (x @ w + b)
    now = loss(margin)
    for made in range(ROUNDS):
        gradient, offset = w + c * ((y * now.first) @ x), c * (y * now.first).sum()
        balanced = offset.abs() <= tolerance * c * now.first.abs().sum()
        if balanced and gradient.norm() <= tolerance * w.norm():
            return Fit(w, b, made)
        dw, db = _direction(x, gradient, offset, _times(c, now))
        moved, promised = y * (x @ dw + db), gradient @ dw + offset * db
        value, size = _value(w, c, now), 1.0
        for _ in range(HALVINGS):
            there = loss(margin + size * moved)
            gained = value - _value(w + size * dw, c, there)
            if gained >= -ENOUGH * size * promised - ROUNDING * value:
                break
            size /= 2
        else:
            raise ArithmeticError(f"no step makes the risk smaller at C={c:g}, where its gradient is "
                                  f"{float(gradient.norm() / w.norm()):.1e} times the weights")  # fmt: skip
        w, b = w + size * dw, b + size * db
        margin = y * (x @ w + b)
        now = loss(margin)
    raise ArithmeticError(f"{ROUNDS} rounds of Newton's method are not enough at C={c:g}")


def _value(w: Tensor, c: float, at: Slopes) -> Tensor:
    return 0.5 * w.square().sum() + c * at.value.sum()


def _times(c: float, now: Slopes) -> Slopes:
    return Slopes(*(c * part for part in now))


def _direction(x: Tensor, gradient: Tensor, offset: Tensor, at: Slopes) -> tuple[Tensor, Tensor]:
    """Newton's step of `w` and `b`: minus the inverse of the Hessian times the gradient.

    The Hessian is `[I + A^T A, A^T r; r^T A, r . r]`, where `r` is the root of the points' second derivatives
    and `A` has the points times theirs as rows; the identity makes its inverse one of the smaller side. Where
    no point has a second derivative, `b` moves against its slope.
    """
    weights = at.second
    if not weights.any():
        return -gradient, -offset / at.first.abs().sum().clamp(min=torch.finfo(x.dtype).tiny)
    kept = weights > SMALL * weights.max()
    root = weights[kept].sqrt()
    a = root[:, None] * x[kept]
    border = root @ a
    both = torch.stack((gradient, border), 1)
    if len(a) < a.shape[1]:
        inner = torch.linalg.cholesky(_plus_one(a @ a.T))
        solved = both - a.T @ torch.cholesky_solve(a @ both, inner)
    else:
        solved = torch.cholesky_solve(both, torch.linalg.cholesky(_plus_one(a.T @ a)))
    left = root.square().sum() - border @ solved[:, 1]
    db = (border @ solved[:, 0] - offset) / left.clamp(min=1e-12 * float(weights.sum()))
    return -(solved[:, 0] + solved[:, 1] * db), db


def _plus_one(matrix: Tensor) -> Tensor:
    matrix.diagonal().add_(1)
    return matrix
