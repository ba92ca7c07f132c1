"""The inner problem of one task, and the implicit gradient of its solution; functions of flat vectors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad, vjp

Loss = Callable[[Tensor], Tensor]


def adapt(loss: Loss, start: Tensor, strength: float, steps: int, lr: float) -> Tensor:
    """Gradient descent on `loss(w) + strength / 2 * |w - start|^2` from `start` (equation 3)."""
    gradient, w = grad(loss), start
    for _ in range(steps):
        w = w - lr * (gradient(w) + strength * (w - start))
    return w


def implicit_gradient(loss: Loss, outer: Loss, w: Tensor, strength: float, steps: int) -> Tensor:
    """`(I + H / strength)^-1 g` at `w`, H being the Hessian of `loss`, g the gradient of `outer` (eq. 6)."""

    hessian_times = vjp(grad(loss), w)[1]  # the Hessian is symmetric, so that either product will do

    def product(v: Tensor) -> Tensor:
        vector: Tensor = v + hessian_times(v)[0] / strength
        return vector

    return conjugate_gradients(product, grad(outer)(w), steps)


def conjugate_gradients(product: Callable[[Tensor], Tensor], b: Tensor, steps: int) -> Tensor:
    """Solves `A x = b` for the symmetric positive matrix whose products `product` computes."""
    x, r = torch.zeros_like(b), b
    p, rr = r, r @ r
    for _ in range(steps):
        ap = product(p)
        alpha = rr / (p @ ap).clamp_min(1e-12)
        x, r = x + alpha * p, r - alpha * ap
        rr, old = r @ r, rr
        p = r + rr / old.clamp_min(1e-12) * p
    return x
